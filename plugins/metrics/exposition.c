/* exposition.c — lines of Prometheus' text format. */
#include "exposition.h"

void exposition_begin(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The format's own escapes; other control characters are of no use in a label. */
static void write_value(FILE *to, piw_text value)
{
    for (uint32_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.s[i];
        if (c == '\n')
            fputs("\\n", to);
        else if (c == '\\' || c == '"')
            fprintf(to, "\\%c", c);
        else
            fputc(c < 0x20 || c == 0x7f ? '?' : c, to);
    }
}

/* `bound` is the label "le" of a histogram's bucket, or NULL. */
static void write_name(FILE *to, const char *name, const char *suffix, const exposition_label *labels,
                       const char *bound)
{
    bool any = false;
    fprintf(to, "%s%s", name, suffix);
    for (; labels != NULL && labels->name != NULL; labels++) {
        fprintf(to, "%s%s=\"", any ? "," : "{", labels->name);
        write_value(to, labels->value);
        fputc('"', to);
        any = true;
    }
    if (bound != NULL)
        fprintf(to, "%sle=\"%s\"", any ? "," : "{", bound);
    fputs(any || bound != NULL ? "} " : " ", to);
}

void exposition_count(FILE *to, const char *name, const exposition_label *labels, int64_t value)
{
    write_name(to, name, "", labels, NULL);
    fprintf(to, "%lld\n", (long long)value);
}

void exposition_measure(FILE *to, const char *name, const exposition_label *labels, double value)
{
    write_name(to, name, "", labels, NULL);
    fprintf(to, "%.9g\n", value);
}

void exposition_histogram(FILE *to, const char *name, const exposition_label *labels, const double *bounds,
                          uint32_t bounds_count, const int64_t *counts, double sum)
{
    int64_t total = 0;
    for (uint32_t i = 0; i <= bounds_count; i++) {
        char bound[32] = "+Inf";
        if (i < bounds_count)
            snprintf(bound, sizeof(bound), "%.9g", bounds[i]);
        total += counts[i];
        write_name(to, name, "_bucket", labels, bound);
        fprintf(to, "%lld\n", (long long)total);
    }
    write_name(to, name, "_sum", labels, NULL);
    fprintf(to, "%.9g\n", sum);
    write_name(to, name, "_count", labels, NULL);
    fprintf(to, "%lld\n", (long long)total);
}
