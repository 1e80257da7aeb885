// Opens libraries and never closes them. One call is the last thing an initialiser does, so that the dynamic linker takes
// itself for the caller.
#include <dlfcn.h>

static void *opened;

__attribute__((constructor)) static void open_beside(void) { opened = dlopen("libresolv.so.2", RTLD_NOW); }
__attribute__((constructor)) static void open_outside(void) { dlopen("libBrokenLocale.so.1", RTLD_NOW); }
