// Opens a descriptor and never closes it; another one it closes.
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void open_for_ever(void) {
    const int closed = open("/dev/zero", O_RDONLY);
    open("/dev/null", O_RDONLY);
    close(closed);
}
