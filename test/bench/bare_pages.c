/* bare_pages.c — the limit of bench_pages: writes files as they are given, each as a temporary file that is renamed into its
 * place, one after the other, four to a folder, and prints the seconds it took. Reads the files' paths, a line each, from stdin;
 * the copies go below the folder in its argument, and stay: file systems look past what was just removed for each file that is
 * made. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IN_FOLDER = 4 };

typedef struct page {
    char *data, *path;
    size_t len;
    bool first; /* of its folder */
} page;

static void fail(const char *what)
{
    fprintf(stderr, "bare_pages: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *need(void *memory)
{
    if (memory == NULL)
        fail("memory");
    return memory;
}

static page read_page(const char *from, const char *folder, size_t number)
{
    page self = {0};
    struct stat info;
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0)
        fail(from);
    self.data = need(malloc((size_t)info.st_size + 1));
    for (ssize_t n; (n = read(fd, self.data + self.len, (size_t)info.st_size - self.len)) > 0;)
        self.len += (size_t)n;
    close(fd);
    size_t size = strlen(folder) + 64;
    self.path = need(malloc(size));
    snprintf(self.path, size, "%s/%ld-%zu/%zu", folder, (long)getpid(), number / IN_FOLDER, number % IN_FOLDER);
    self.first = number % IN_FOLDER == 0;
    return self;
}

static void write_page(const page *self, const char *tmp)
{
    if (self->first) {
        char *slash = strrchr(self->path, '/');
        *slash = '\0';
        if (mkdir(self->path, 0755) != 0)
            fail(self->path);
        *slash = '/';
    }
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        fail(tmp);
    for (size_t at = 0; at < self->len;) {
        ssize_t n = write(fd, self->data + at, self->len - at);
        if (n < 0)
            fail(tmp);
        at += (size_t)n;
    }
    if (fchmod(fd, 0644) != 0 || close(fd) != 0 || rename(tmp, self->path) != 0)
        fail(self->path);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    char line[8192], tmp[8192];
    page *pages = NULL;
    size_t count = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: bare_pages FOLDER <LIST\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        pages = need(realloc(pages, (count + 1) * sizeof(*pages)));
        pages[count] = read_page(line, argv[1], count);
        count++;
    }
    snprintf(tmp, sizeof(tmp), "%s/tmp", argv[1]);
    double began = now();
    for (size_t i = 0; i < count; i++)
        write_page(&pages[i], tmp);
    printf("%.6f\n", now() - began);
    for (size_t i = 0; i < count; i++) {
        free(pages[i].data);
        free(pages[i].path);
    }
    free(pages);
    return 0;
}
