/* pace.c — how fast it goes, and how far it is. */
#include "audit.h"

#include "shared/wheel.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 1 << 20,
    LOOK_BYTES = 4096,   /* what looking at anything costs at least */
    AHEAD_NS = 20000000, /* shorter sleeps aren't worth their calls */
};

void pace_sleep(int64_t ns)
{
    struct timespec span = {ns / 1000000000, ns % 1000000000};
    (void)nanosleep(&span, NULL); /* a signal ends it, as it should */
}

void pace_take(audit *self, int64_t bytes)
{
    self->taken += bytes > LOOK_BYTES ? bytes : LOOK_BYTES;
    if (self->rate > 0) {
        int64_t due_ns = (int64_t)((double)self->taken / (double)self->rate * 1e9);
        int64_t ahead_ns = due_ns - (piw_monotonic_ns() - self->begun_ns);
        if (ahead_ns > AHEAD_NS && !audit_stopped())
            pace_sleep(ahead_ns);
        else if (ahead_ns < -1000000000) /* what it didn't take it can't have later */
            self->taken = (int64_t)((double)(piw_monotonic_ns() - self->begun_ns) / 1e9 * (double)self->rate);
    }
    pace_show(self, false);
}

static int hash_on(audit *self, int fd, const char *path, EVP_MD_CTX *digest, int64_t *size, piw_err *err)
{
    static unsigned char piece[PIECE];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return piw_err_errno(err, "can't read %s", path);
        if (n == 0)
            return 0;
        if (EVP_DigestUpdate(digest, piece, (size_t)n) != 1)
            return piw_err_set(err, PIW_ENOMEM, "can't compute the hash of %s", path);
        /* What is served to installers stays in memory rather than this. */
        (void)posix_fadvise(fd, *size, n, POSIX_FADV_DONTNEED);
        *size += n;
        self->bytes += n;
        pace_take(self, n);
    }
}

int pace_hash(audit *self, const char *path, char *hash, int64_t *size, piw_err *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? piw_err_set(err, PIW_ENOENT, "%s isn't there", path)
                               : piw_err_errno(err, "can't open %s", path);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int rc = 0;
    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        rc = piw_err_set(err, PIW_ENOMEM, "no memory for the hash of %s", path);
    if (rc == 0)
        rc = hash_on(self, fd, path, digest, size, err);
    if (rc == 0 && EVP_DigestFinal_ex(digest, sum, NULL) != 1)
        rc = piw_err_set(err, PIW_ENOMEM, "can't compute the hash of %s", path);
    EVP_MD_CTX_free(digest);
    close(fd);
    if (rc == 0)
        piw_hash_hex(sum, hash);
    return rc;
}

void pace_show(audit *self, bool now)
{
    int64_t done = 0, all = 0;
    for (int i = 0; i < AUDIT_PHASES; i++) {
        done += self->units[i];
        all += self->units_all[i] > self->units[i] ? self->units_all[i] : self->units[i];
    }
    tool_progress_show(&self->progress, now, done, all,
                       "%s: %lld of %lld packages, %lld files, %lld MB read, %zu findings, %zu to be looked at again",
                       audit_phase_name(self->phase), (long long)self->units[AUDIT_PACKAGES],
                       (long long)self->units_all[AUDIT_PACKAGES], (long long)self->files,
                       (long long)(self->bytes / 1000000), self->found.count, self->suspects_count);
}
