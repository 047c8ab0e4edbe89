/* metadata.c — reads the fields of a wheel's METADATA that the farm uses. */
#include "shared/metadata.h"

#include "shared/header.h"
#include "shared/names.h"
#include "shared/requirement.h"
#include "shared/text.h"

#include <stdlib.h>

enum { REQUIRES_PYTHON_MAX = 200, REQUIRES_MAX = 10000, SHOWN = 200 /* bytes of a field in a sentence */ };

static int refuse(piw_err *err, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "its METADATA %s", why);
}

/* What the packages are that everyone needs who installs it. */
static int add_requirement(piw_metadata *metadata, const piw_header_field *f, piw_err *err)
{
    piw_requirement requirement;
    if (!piw_requirement_parse(f->value, &requirement))
        return piw_err_set(err, PIW_EREFUSED, "its METADATA has a Requires-Dist that isn't one by PEP 508: \"%.*s\"",
                           f->value.len > SHOWN ? SHOWN : (int)f->value.len, f->value.s);
    if (requirement.names_extra)
        return 0;
    char canonical[PIW_NAME_MAX + 1];
    if (metadata->requires_count >= REQUIRES_MAX || !piw_name_canonical(requirement.name, canonical))
        return 0;
    char **grown = realloc(metadata->requires, (metadata->requires_count + 1) * sizeof(*grown));
    if (grown == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read METADATA");
    metadata->requires = grown;
    metadata->requires[metadata->requires_count++] = piw_strdup(canonical);
    return 0;
}

/* One that is lost or cut would offer the wheel to Pythons that it excludes. */
static int take_requires_python(piw_metadata *metadata, const piw_header *h, const piw_header_field *f, piw_err *err)
{
    if (f->value.len == 0)
        return 0;
    if (piw_utf8_chars(f->value.s, f->value.len) > REQUIRES_PYTHON_MAX)
        return refuse(err, "has a Requires-Python of more than 200 characters, which the index can't hold");
    if (piw_text_has_control(f->value))
        return refuse(err, "has a control character in Requires-Python");
    if (!piw_specifiers_valid(f->value))
        return piw_err_set(err, PIW_EREFUSED, "its METADATA has a Requires-Python that isn't one by PEP 440: \"%.*s\"",
                           f->value.len > SHOWN ? SHOWN : (int)f->value.len, f->value.s);
    return piw_header_once(h, f, "Requires-Python", &metadata->requires_python, err);
}

static int take_field(piw_metadata *metadata, const piw_header *h, const piw_header_field *f, piw_err *err)
{
    if (piw_header_is(f, "Metadata-Version"))
        return piw_header_once(h, f, "Metadata-Version", &metadata->metadata_version, err);
    if (piw_header_is(f, "Name"))
        return piw_header_once(h, f, "Name", &metadata->name, err);
    if (piw_header_is(f, "Version"))
        return piw_header_once(h, f, "Version", &metadata->version, err);
    if (piw_header_is(f, "Requires-Dist"))
        return add_requirement(metadata, f, err);
    if (piw_header_is(f, "Requires-Python"))
        return take_requires_python(metadata, h, f, err);
    if (piw_header_is(f, "Summary") && metadata->summary == NULL)
        metadata->summary = piw_strndup(f->value.s, f->value.len);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_requires(piw_metadata *metadata)
{
    if (metadata->requires_count < 2)
        return;
    qsort(metadata->requires, metadata->requires_count, sizeof(*metadata->requires), compare_texts);
    size_t kept = 1;
    for (size_t i = 1; i < metadata->requires_count; i++) {
        if (strcmp(metadata->requires[i], metadata -> requires[kept - 1]) == 0)
            free(metadata->requires[i]);
        else
        metadata->requires[kept++] = metadata->requires[i];
    }
    metadata->requires_count = kept;
}

int piw_metadata_parse(const void *data, size_t len, piw_metadata *metadata, piw_err *err)
{
    *metadata = (piw_metadata){0};
    piw_header h;
    piw_header_field f;
    int rc = piw_header_init(&h, data, len, "METADATA", err);
    while (rc == 0 && (rc = piw_header_next(&h, &f, err)) == 1)
        rc = take_field(metadata, &h, &f, err);
    piw_header_fini(&h);
    if (rc == 0 && (metadata->name == NULL || metadata->version == NULL))
        rc = refuse(err, metadata->name == NULL ? "has no field Name" : "has no field Version");
    if (rc != 0)
        piw_metadata_fini(metadata);
    else
        sort_requires(metadata);
    return rc;
}

void piw_metadata_fini(piw_metadata *metadata)
{
    free(metadata->metadata_version);
    free(metadata->name);
    free(metadata->version);
    free(metadata->summary);
    free(metadata->requires_python);
    for (size_t i = 0; i < metadata->requires_count; i++)
        free(metadata->requires[i]);
    free(metadata->requires);
    *metadata = (piw_metadata){0};
}
