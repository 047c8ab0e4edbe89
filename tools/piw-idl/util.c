/* util.c — memory, text and errors of the compiler. */
#include "idl.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void idl_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("piw-idl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

void idl_fail(idl_pos pos, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "%s:%d: ", pos.file, pos.line);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

void *idl_alloc(size_t size)
{
    void *memory = calloc(1, size != 0 ? size : 1);
    if (memory == NULL)
        idl_die("out of memory");
    return memory;
}

char *idl_copy(const char *s, size_t len)
{
    char *copy = idl_alloc(len + 1);
    memcpy(copy, s, len);
    return copy;
}

char *idl_format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text;
    if (vasprintf(&text, fmt, args) < 0)
        idl_die("out of memory");
    va_end(args);
    return text;
}

void *idl_append(void *list, size_t *count, size_t size)
{
    void **at = list;
    if ((*count & (*count - 1)) == 0) { /* full at each power of two */
        size_t room = *count == 0 ? 1 : *count * 2;
        void *grown = realloc(*at, room * size);
        if (grown == NULL)
            idl_die("out of memory");
        *at = grown;
    }
    void *element = (char *)*at + *count * size;
    memset(element, 0, size);
    ++*count;
    return element;
}

void idl_print(idl_out *out, const char *fmt, ...)
{
    for (;;) {
        va_list args;
        va_start(args, fmt);
        size_t room = out->size - out->len;
        int needed = vsnprintf(out->text != NULL ? out->text + out->len : NULL, room, fmt, args);
        va_end(args);
        if (needed < 0)
            idl_die("can't format");
        if ((size_t)needed < room) {
            out->len += (size_t)needed;
            return;
        }
        out->size = (out->size + (size_t)needed + 1) * 2;
        out->text = realloc(out->text, out->size);
        if (out->text == NULL)
            idl_die("out of memory");
    }
}

char *idl_upper(const char *s)
{
    char *copy = idl_copy(s, strlen(s));
    for (char *c = copy; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return copy;
}

const char *idl_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

char *idl_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        if (errno == ENOENT)
            return NULL;
        idl_die("can't read %s: %s", path, strerror(errno));
    }
    char *text = idl_alloc(IDL_FILE_MAX + 1);
    *len = fread(text, 1, IDL_FILE_MAX + 1, file);
    if (ferror(file) != 0)
        idl_die("can't read %s: %s", path, strerror(errno));
    fclose(file);
    if (*len > IDL_FILE_MAX)
        idl_die("%s is longer than %d bytes", path, (int)IDL_FILE_MAX);
    return text;
}

static bool holds(const char *path, const idl_out *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char *old = idl_alloc(out->len + 1);
    size_t len = fread(old, 1, out->len + 1, file);
    fclose(file);
    bool same = len == out->len && memcmp(old, out->text, len) == 0;
    free(old);
    return same;
}

void idl_write_changed(const char *path, const idl_out *out)
{
    if (!holds(path, out))
        idl_write(path, out);
}

void idl_write(const char *path, const idl_out *out)
{
    char *beside = idl_format("%s.%ld.new", path, (long)getpid());
    FILE *file = fopen(beside, "wb");
    if (file == NULL)
        idl_die("can't write %s: %s", beside, strerror(errno));
    bool good = fwrite(out->text, 1, out->len, file) == out->len;
    good = fclose(file) == 0 && good;
    if (!good || rename(beside, path) != 0) {
        int why = errno;
        unlink(beside);
        idl_die("can't write %s: %s", path, strerror(why));
    }
}
