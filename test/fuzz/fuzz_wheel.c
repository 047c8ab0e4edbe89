/* The whole gate: a file as a slave sends it, under names for which other rules hold. */
#include "fuzz.h"

#include "shared/wheel.h"

#include <sys/mman.h>
#include <unistd.h>

static const char *const names[] = {
    "demo-1.0-py3-none-any.whl",
    "demo-1.0-cp311-cp311-linux_armv7l.whl",
    "demo-1.0-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo-1.0-1_a-cp313-cp313t-linux_aarch64.whl",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fd = memfd_create("wheel", MFD_CLOEXEC);
    FUZZ_HOLDS(fd >= 0);
    FUZZ_HOLDS(write(fd, data, len) == (ssize_t)len);
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        piw_err err = {0};
        piw_wheel wheel = {0};
        int r = piw_wheel_read_fd(fd, names[i], NULL, NULL, &wheel, &err);
        fuzz_said(r, &err);
        FUZZ_HOLDS(r == 0 || r == PIW_EREFUSED || r == PIW_ENOMEM);
        if (r == 0) {
            FUZZ_HOLDS(wheel.filesize == (int64_t)len && strlen(wheel.filehash) == 64 &&
                       strlen(wheel.metadata_hash) == 64);
            FUZZ_HOLDS(wheel.metadata.name != NULL && wheel.metadata.version != NULL);
            piw_wheel_fini(&wheel);
        }
    }
    FUZZ_HOLDS(close(fd) == 0);
    return 0;
}
