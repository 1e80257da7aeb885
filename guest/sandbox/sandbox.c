// Tries a shared object out where it can do no harm: a process of its own that may change no file, start no program,
// open no socket and use little CPU time. The object comes as standard input, a sealed memory file; whoever sent it goes
// on to load the same pages.
//
//   sandbox OBJECT INITIALISERS COUNT FINALISERS COUNT
//
// OBJECT is loaded before it, for the symbols it needs; `-` is none. The loader takes an object's initialisers and
// finalisers out of the dynamic linker's sight and calls them itself; so does this, with arrays of so many functions at
// these offsets from where it is loaded.
//
// What is reached is said on standard output, a line each:
//   sandboxed            nothing of the object has run yet
//   refused MESSAGE      the dynamic linker would not have it
//   linked DEVICE INODE  its initialisers have run; the code is in this file
//   closed               its finalisers have run, too
// If a line is missing, how the process ended says why.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CPU_SECONDS = 1, REAL_SECONDS = 30 };

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
// The number of the call is loaded: refuses this one.
#define REFUSE_CALL(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), REFUSE
// The same, if one of these bits of an argument is set.
#define REFUSE_CALL_WITH(call, argument, bits)                                                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4), LOAD(args[argument]),                                        \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), REFUSE, LOAD(nr)

static int enter_sandbox(void) {
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        REFUSE_CALL_WITH(SYS_openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
#ifdef SYS_open
        REFUSE_CALL_WITH(SYS_open, 1, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
        REFUSE_CALL(SYS_creat),
        REFUSE_CALL(SYS_unlink),
        REFUSE_CALL(SYS_rename),
        REFUSE_CALL(SYS_mkdir),
        REFUSE_CALL(SYS_rmdir),
        REFUSE_CALL(SYS_symlink),
        REFUSE_CALL(SYS_link),
        REFUSE_CALL(SYS_fork),
        REFUSE_CALL(SYS_vfork),
#endif
        REFUSE_CALL(SYS_openat2),
        REFUSE_CALL(SYS_unlinkat),
        REFUSE_CALL(SYS_renameat2),
        REFUSE_CALL(SYS_mkdirat),
        REFUSE_CALL(SYS_symlinkat),
        REFUSE_CALL(SYS_linkat),
        REFUSE_CALL(SYS_truncate),
        REFUSE_CALL(SYS_ftruncate),
        REFUSE_CALL(SYS_execve),
        REFUSE_CALL(SYS_execveat),
        REFUSE_CALL(SYS_socket),
        REFUSE_CALL(SYS_connect),
        REFUSE_CALL(SYS_ptrace),
        REFUSE_CALL(SYS_process_vm_writev),
        REFUSE_CALL(SYS_kill),
        REFUSE_CALL(SYS_mount),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS + 1};
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CPU, &cpu) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0) return -1;
    if (setrlimit(RLIMIT_CORE, &none) != 0) return -1;
    alarm(REAL_SECONDS);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// Not through stdio: what the object does to streams is its own affair.
static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(3);
}

// Says in which file the code of an object is.
static void say_linked(const struct link_map *object) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long begin = 0, end = 0, inode = 0;
    unsigned major = 0, minor = 0;
    char access[8] = "";
    int found = 0;
    while (maps && !found && fgets(line, sizeof line, maps)) {
        const int fields =
            sscanf(line, "%lx-%lx %7s %*x %x:%x %lu", &begin, &end, access, &major, &minor, &inode);
        found = fields == 6 && access[2] == 'x' && begin >= object->l_addr && (unsigned long)object->l_ld > begin;
    }
    if (maps) fclose(maps);
    char text[96];
    snprintf(text, sizeof text, "linked %u:%u %lu\n", found ? major : 0, found ? minor : 0, found ? inode : 0);
    say(text);
}

typedef void (*Function)(int, char **, char **);

int main(int count, char **arguments, char **environment) {
    if (count != 6) return 4;
    if (strcmp(arguments[1], "-") != 0 && !dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL)) return 4;
    const unsigned long first = strtoul(arguments[2], NULL, 10), initialisers = strtoul(arguments[3], NULL, 10);
    const unsigned long last = strtoul(arguments[4], NULL, 10), finalisers = strtoul(arguments[5], NULL, 10);
    if (enter_sandbox() != 0) return 5;
    say("sandboxed\n");
    void *object = dlopen("/proc/self/fd/0", RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        say("refused ");
        say(dlerror());
        say("\n");
        return 0;
    }
    struct link_map *map = NULL;
    if (dlinfo(object, RTLD_DI_LINKMAP, &map) != 0) return 6;
    const Function *begin = (const Function *)(map->l_addr + first), *end = (const Function *)(map->l_addr + last);
    for (unsigned long i = 0; i < initialisers; i++) begin[i](0, arguments + count, environment);
    say_linked(map);
    for (unsigned long i = finalisers; i-- > 0;) end[i](0, arguments + count, environment);
    dlclose(object);
    say("closed\n");
    return 0;
}
