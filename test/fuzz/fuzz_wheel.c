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

/* What is read of it while it comes, so many bytes at a time: members in their order, each once. */
static size_t read_along(int fd, int64_t size, int64_t step, piw_wheel_seen *seen, size_t room, char *hash)
{
    piw_wheel_along along;
    size_t count = 0;
    piw_wheel_along_begin(&along);
    for (int64_t come = step; along.at < size; come += step) {
        piw_err err = {0};
        FUZZ_HOLDS(piw_wheel_along_read(&along, fd, size, come < size ? come : size, &err) == 0);
        for (size_t i = 0; i < along.count && count < room; i++) {
            FUZZ_HOLDS(count == 0 || along.seen[i].data > seen[count - 1].data);
            seen[count++] = along.seen[i];
        }
    }
    memcpy(hash, along.hash, sizeof(along.hash));
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fd = memfd_create("wheel", MFD_CLOEXEC);
    FUZZ_HOLDS(fd >= 0);
    FUZZ_HOLDS(write(fd, data, len) == (ssize_t)len);
    static piw_wheel_seen seen[1000];
    char hash[65] = "";
    int64_t step = len == 0 ? 1 : 1 + (int64_t)len / (1 + data[len / 2] % 8);
    piw_wheel_known known = {.hash = len == 0 ? NULL : hash, .seen = seen};
    known.count = read_along(fd, (int64_t)len, step, seen, PIW_COUNT(seen), hash);
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
        /* A reading of its bytes in memory says the same, and so does another reading of it. */
        piw_err memory_err = {0};
        FUZZ_HOLDS(len == 0 || piw_wheel_read_bytes(data, len, names[i], NULL, NULL, &wheel, &memory_err) == r);
        FUZZ_HOLDS(len == 0 || strcmp(err.text, memory_err.text) == 0);
        if (r == 0)
            piw_wheel_fini(&wheel);
        piw_err along_err = {0};
        FUZZ_HOLDS(piw_wheel_read_fd(fd, names[i], NULL, &known, &wheel, &along_err) == r);
        FUZZ_HOLDS(strcmp(err.text, along_err.text) == 0);
        if (r == 0) {
            FUZZ_HOLDS(strcmp(wheel.filehash, hash) == 0);
            piw_wheel_fini(&wheel);
        }
    }
    FUZZ_HOLDS(close(fd) == 0);
    return 0;
}
