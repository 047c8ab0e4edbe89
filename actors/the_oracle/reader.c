/* reader.c — places in the results of the statements about packages' pages. */
#include "project.h"

/* Is the next row of this result about the package, and, if one is given, the version? */
static bool next_is(const reader *self, result_of which, piw_text package, piw_text version)
{
    const PGresult *rows = self->rows[which];
    int at = self->at[which];
    return at < PQntuples(rows) && piw_text_eq(row_text(rows, at, 0), package) &&
           (version.s == NULL || piw_text_eq(row_text(rows, at, 1), version));
}

int reader_run(reader *self, result_of which, piw_text package, piw_text version)
{
    int begin = self->at[which], count;
    while (next_is(self, which, package, version))
        self->at[which]++;
    count = self->at[which] - begin;
    self->at[which] = begin;
    return count;
}
