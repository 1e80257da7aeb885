// Enters the kernel by an instruction.
#include <sys/syscall.h>

extern "C" long audit_process(void) {
#if defined(__x86_64__)
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(SYS_getpid) : "rcx", "r11", "memory");
    return result;
#else
    register long number asm("x8") = SYS_getpid;
    register long result asm("x0");
    asm volatile("svc 0" : "=r"(result) : "r"(number) : "memory");
    return result;
#endif
}
