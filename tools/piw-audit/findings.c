/* findings.c — what was found: kept, printed, as JSON. */
#include "audit.h"

#include "shared/text.h"

#include <stdlib.h>

void findings_take(findings *list, finding *one)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 8 : 2 * list->room;
        list->at = piw_realloc(list->at, list->room * sizeof(*list->at));
    }
    list->at[list->count++] = *one;
    *one = (finding){0};
}

void findings_add(findings *list, const char *kind, bool moving, const char *package, char *path, char *what)
{
    finding one = {.kind = mend_kind(kind),
                   .path = path,
                   .what = what,
                   .package = package != NULL ? piw_strdup(package) : NULL,
                   .moving = moving,
                   .seen = 1,
                   .first_ns = piw_monotonic_ns()};
    findings_take(list, &one);
}

const finding *findings_has(const findings *list, const finding *one)
{
    for (size_t i = 0; i < list->count; i++) {
        const finding *other = &list->at[i];
        if (other->kind == one->kind && strcmp(other->path, one->path) == 0 && strcmp(other->what, one->what) == 0)
            return other;
    }
    return NULL;
}

static void fini(finding *one)
{
    free(one->path);
    free(one->what);
    free(one->package);
    free(one->done);
}

void findings_remove(findings *list, size_t index)
{
    fini(&list->at[index]);
    list->at[index] = list->at[--list->count];
}

void findings_fini(findings *list)
{
    for (size_t i = 0; i < list->count; i++)
        fini(&list->at[i]);
    free(list->at);
    *list = (findings){0};
}

/* Names on disk and in the database may hold anything. */
static void print_clean(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

void findings_print(const finding *one)
{
    printf("%s: ", one->kind);
    print_clean(one->path);
    printf(": ");
    print_clean(one->what);
    if (one->done != NULL) {
        printf(one->mended ? " [mended: " : one->asked ? " [asked for: " : " [not mended: ");
        print_clean(one->done);
        putchar(']');
    }
    putchar('\n');
    fflush(stdout);
}

static void put_field(piw_buffer *to, const char *name, const char *value)
{
    piw_putf(to, ",\"%s\":", name);
    piw_put_json(to, piw_text_of(value));
}

int findings_json(const audit *self, bool complete, piw_err *err)
{
    piw_buffer to = {0};
    piw_putf(&to, "{\"complete\":%s,\"packages\":%lld,\"files\":%lld,\"bytes\":%lld,\"findings\":[",
             complete ? "true" : "false", (long long)self->units[AUDIT_PACKAGES], (long long)self->files,
             (long long)self->bytes);
    for (size_t i = 0; i < self->found.count; i++) {
        const finding *one = &self->found.at[i];
        piw_put(&to, i > 0 ? ",\n{\"kind\":" : "\n{\"kind\":");
        piw_put_json(&to, piw_text_of(one->kind));
        put_field(&to, "path", one->path);
        put_field(&to, "what", one->what);
        put_field(&to, "package", one->package);
        piw_put(&to, one->mended ? ",\"mended\":true" : ",\"mended\":false");
        piw_put(&to, one->asked ? ",\"asked\":true" : "");
        put_field(&to, "done", one->done);
        piw_put(&to, "}");
    }
    piw_put(&to, "]}\n");
    bool written = fwrite(to.data, 1, to.len, stdout) == to.len && fflush(stdout) == 0;
    piw_buffer_fini(&to);
    return written ? 0 : piw_err_errno(err, "can't write to standard output");
}
