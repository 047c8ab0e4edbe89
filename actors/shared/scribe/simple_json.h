/* simple_json.h — the JSON form of the simple index (PEP 691, 700, 714; docs/site.md#the-index). Pure: from data to a
 * buffer; any thread. */
#ifndef SHARED_SCRIBE_SIMPLE_JSON_H
#define SHARED_SCRIBE_SIMPLE_JSON_H

#include "jobs.h"

/* simple/PKG/index.v1.json */
void simple_json_index(const project_data *data, piw_text view, piw_buffer *to);
/* simple/index.v1.json; names are NUL-ended, one after the other. */
void simple_json_root(const char *names, size_t len, piw_buffer *to);

/* Both of them. */
extern const simple_json simple_json_forms;

#endif
