/* rows.c — questions to the database, by the role that the master has: it may read. */
#include "audit.h"

#include "piw/codec.h"
#include "shared/dsn.h"
#include "shared/schema_version.h"
#include "shared/text.h"

#include <stdlib.h>

static int check_version(audit *self, piw_err *err)
{
    int64_t version;
    int rc = rows_number(self, "SELECT version FROM piw.configuration", &version, err);
    if (rc == 0 && version != PIW_SCHEMA_VERSION)
        rc =
            piw_err_set(err, PIW_EREFUSED, "the database has version %lld of schema piw, this program knows version %d",
                        (long long)version, PIW_SCHEMA_VERSION);
    return rc;
}

int rows_open(audit *self, piw_err *err)
{
    const char *dsn = piw_config_text(self->config, "dsn");
    char *normal = piw_dsn_normal(dsn), *shown = piw_dsn_print(dsn);
    const char *names[] = {"dbname", "fallback_application_name", "client_encoding", "connect_timeout", NULL};
    const char *values[] = {normal, "piw-audit", "UTF8", "10", NULL};
    self->conn = PQconnectdbParams(names, values, 1);
    int rc = 0;
    if (self->conn == NULL || PQstatus(self->conn) != CONNECTION_OK) {
        char *text = piw_strdup(self->conn != NULL ? PQerrorMessage(self->conn) : "no memory");
        text[strcspn(text, "\n")] = '\0';
        rc = piw_err_set(err, PIW_EDBAWAY, "can't connect to database %s: %s", shown, text);
        free(text);
    }
    free(normal);
    free(shown);
    return rc == 0 ? check_version(self, err) : rc;
}

PGresult *rows_ask(audit *self, const char *sql, int count, const char *const *values, piw_err *err)
{
    PGresult *rows = PQexecParams(self->conn, sql, count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(rows) == PGRES_TUPLES_OK)
        return rows;
    char *text = piw_strdup(PQerrorMessage(self->conn));
    text[strcspn(text, "\n")] = '\0';
    piw_err_set(err, PIW_EDB, "the database doesn't answer: %s", text);
    free(text);
    PQclear(rows);
    return NULL;
}

piw_text rows_text(const PGresult *rows, int row, int column)
{
    return (piw_text){PQgetvalue(rows, row, column), (uint32_t)PQgetlength(rows, row, column)};
}

bool rows_bool(const PGresult *rows, int row, int column)
{
    return PQgetvalue(rows, row, column)[0] == 't';
}

int rows_number(audit *self, const char *sql, int64_t *number, piw_err *err)
{
    PGresult *rows = rows_ask(self, sql, 0, NULL, err);
    if (rows == NULL)
        return PIW_EDB;
    *number = PQntuples(rows) > 0 ? strtoll(PQgetvalue(rows, 0, 0), NULL, 10) : 0;
    PQclear(rows);
    return 0;
}

/* An array in PostgreSQL's text form. */
PGresult *rows_known(audit *self, const char *sql, char *const *names, size_t count, piw_err *err)
{
    piw_buffer array = {0};
    piw_put(&array, "{");
    for (size_t i = 0; i < count; i++) {
        piw_put(&array, i > 0 ? ",\"" : "\"");
        for (const char *c = names[i]; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\')
                piw_put(&array, "\\");
            piw_put_bytes(&array, c, 1);
        }
        piw_put(&array, "\"");
    }
    piw_put_bytes(&array, "}", 2); /* with its NUL */
    PGresult *rows = rows_ask(self, sql, 1, (const char *[]){(const char *)array.data}, err);
    piw_buffer_fini(&array);
    return rows;
}
