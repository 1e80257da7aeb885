// Reads the time by a function that leads into the kernel's library, and asks where that is.
#include <sys/auxv.h>
#include <time.h>

extern "C" {

long audit_time(void) { return time(nullptr); }
unsigned long audit_vdso(void) { return getauxval(AT_SYSINFO_EHDR) + 1; }
}
