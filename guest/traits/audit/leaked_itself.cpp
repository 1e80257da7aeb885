// Opens itself, and so stays when it is closed.
#include <dlfcn.h>

static void *own;

__attribute__((constructor)) static void stay(void) {
    Dl_info info;
    if (dladdr(&own, &info)) own = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
}
