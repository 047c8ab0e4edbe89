/* The IDL compiler: from the text of a .piw file to all of its outputs. It ends at the first error and never gives memory back, so
 * that its calls of exit() and of the allocator come to this file first (--wrap, in the Makefile). */
#include "fuzz.h"

#include "../../tools/piw-idl/idl.h"

#include <setjmp.h>
#include <stdarg.h>

static jmp_buf failed;
static bool compiling;
static void *blocks[1 << 16];
static size_t blocks_count;

void __real_exit(int code) __attribute__((noreturn));
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_vasprintf(char **text, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
char *__real_idl_read(const char *path, size_t *len);
void __wrap_exit(int code) __attribute__((noreturn));
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_vasprintf(char **text, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
char *__wrap_idl_read(const char *path, size_t *len);

void __wrap_exit(int code)
{
    if (compiling)
        longjmp(failed, 1);
    __real_exit(code);
}

/* To be given back after this input; one that takes more is at its end. */
static void *noted(void *block)
{
    if (compiling) {
        if (blocks_count == PIW_COUNT(blocks)) {
            free(block);
            longjmp(failed, 1);
        }
        blocks[blocks_count++] = block;
    }
    return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return noted(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    for (size_t i = blocks_count; compiling && old != NULL && i-- > 0;)
        if (blocks[i] == old)
            return blocks[i] = __real_realloc(old, size);
    return noted(__real_realloc(old, size));
}

int __wrap_vasprintf(char **text, const char *fmt, va_list args)
{
    int length = __real_vasprintf(text, fmt, args);
    if (length >= 0)
        noted(*text);
    return length;
}

static const uint8_t *source;
static size_t source_len;

/* "fuzz.piw" is the input; what it imports is read from proto/. */
char *__wrap_idl_read(const char *path, size_t *len)
{
    if (strcmp(path, "fuzz.piw") != 0)
        return __real_idl_read(path, len);
    *len = source_len;
    return idl_copy((const char *)source, source_len);
}

static void compile(void)
{
    static const char *dirs[] = {"proto"};
    idl_context context = {.dirs = dirs, .dirs_count = 1};
    idl_file *file = idl_load(&context, "fuzz.piw");
    idl_out header = {0}, tables = {0}, docs = {0}, lock = {0};
    idl_header(file, &header);
    idl_tables(file, &tables);
    idl_docs(&file, 1, &docs);
    idl_lock(&file, 1, &lock);
    FUZZ_HOLDS(header.len > 0 && tables.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static FILE *nowhere;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    FUZZ_HOLDS(nowhere != NULL);
    FILE *kept = stderr;
    source = data;
    source_len = len;
    if (setjmp(failed) == 0) {
        stderr = nowhere; /* what is wrong with each input */
        compiling = true;
        compile();
    }
    compiling = false;
    stderr = kept;
    while (blocks_count > 0)
        free(blocks[--blocks_count]);
    return 0;
}
