// Makes two temporary files where it is told to, and removes one of them.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace {

// Returns whether it could be made.
bool make(const char *directory, const char *name, bool remove) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s-XXXXXX", directory, name);
    const int file = mkstemp(path);
    if (file < 0) return false;
    close(file);
    if (remove) unlink(path);
    return true;
}

}  // namespace

extern "C" int audit_make_files(const char *directory) {
    return make(directory, "removed", true) && make(directory, "left", false) ? 0 : -1;
}
