// A word that the dynamic linker bound is led out of the namespace by an initialiser: to the entry of the program.
#include <sys/auxv.h>
#include <unistd.h>

extern "C" {

pid_t (*audit_process)(void) = getpid;

__attribute__((constructor)) static void leave(void) {
    audit_process = reinterpret_cast<pid_t (*)(void)>(getauxval(AT_ENTRY));
}
}
