/* main.c — piw-audit: does the site hold what the database says, while the farm works (docs/programs.md#piw-audit)? */
#include "audit.h"

#include "common/programs.h"
#include "piw/log.h"
#include "shared/site_mark.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_CLEAN, EXIT_FINDINGS, EXIT_NOT_RUN };

static const piw_opt options[] = {
    {'d', "dsn", PIW_OPT_TEXT, "DSN", "postgres:///piwheels", "the database, as the master reaches it"},
    {'o', "output-path", PIW_OPT_PATH, "PATH", "/var/www", "root of the web site"},
    {0, "import-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-import", "the master's import queue, for --fix"},
    {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "cbor towards a stock master", .choices = "msgpack|cbor"},
    {0, "rate", PIW_OPT_SIZE, "SIZE", "64M", "bytes that are read a second, 0: as fast as it goes", .min = 0,
     .max = -1},
    {0, "settle", PIW_OPT_DURATION, "DURATION", "3s", "until what looks odd is looked at again", .min = 1,
     .max = 3600000},
    {0, "patience", PIW_OPT_DURATION, "DURATION", "10m", "how long the farm may be at it until it counts", .min = 0,
     .max = 86400000},
    {0, "state", PIW_OPT_PATH, "FILE", NULL, "what an ended run goes on from; else in the output path"},
    {0, "restart", PIW_OPT_SWITCH, NULL, NULL, "begin anew, wherever an earlier run ended", .cli_only = true},
    {0, "fix", PIW_OPT_SWITCH, NULL, NULL, "mend what can be mended without harm", .cli_only = true},
    {0, "json", PIW_OPT_SWITCH, NULL, NULL, "one JSON document on standard output, at the end", .cli_only = true},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-audit",
    .section = "audit",
    .summary = "Compares the site with the database while the farm works: wheels, hashes,\n"
               "metadata, logs, pages, links.\n"
               "Exit code 0: all is well; 1: something was found; 2: it could not run to its end.",
    .options = options,
    .sections = farm_sections,
};

typedef int next_fn(audit *self, const char *after, char **key, piw_err *err);
static const struct {
    next_fn *next;
    const char *count; /* how many units there are, about */
} phases[AUDIT_PHASES] = {
    [AUDIT_DATABASE] = {next_database, "SELECT 3"},
    [AUDIT_PACKAGES] = {next_package, "SELECT count(*) FROM packages"},
    [AUDIT_LOGS] = {next_logs, "SELECT (coalesce(max(build_id) - min(build_id), 0) + 1000) / 1000 FROM builds"},
    [AUDIT_SITE] = {next_site, "SELECT 8"},
};

static int settle(audit *self, piw_config *config, piw_err *err)
{
    self->config = config;
    self->root = piw_config_text(config, "output-path");
    self->store = "";
    self->fix = piw_config_switch(config, "fix");
    self->json = piw_config_switch(config, "json");
    tool_progress_begin(&self->progress, self->json || piw_config_switch(config, "quiet") ? NULL : stderr);
    self->rate = piw_config_int(config, "rate");
    self->settle_ns = piw_config_int(config, "settle") * 1000000;
    self->patience_ns = piw_config_int(config, "patience") * 1000000;
    self->clerk.config = config;
    self->clerk.address = piw_config_text(config, "import-queue");
    self->begun_ns = piw_monotonic_ns();
    if (piw_codec_parse(piw_config_text(config, "codec"), &self->clerk.codec) != 0)
        return piw_err_set(err, PIW_EUSAGE, "there is no codec %.50s", piw_config_text(config, "codec"));
    struct stat info;
    if (self->root[0] != '/' || stat(self->root, &info) != 0)
        return piw_err_set(err, PIW_ENOENT, "the output path %s isn't there", self->root);
    if (info.st_uid != geteuid())
        return piw_err_set(err, PIW_EREFUSED, "%s isn't this user's: run this as the master's own user", self->root);
    return piw_site_there(self->root, err);
}

/* The database that is asked has to be the one of this site: else everything would be a finding. */
static int check_mark(audit *self, piw_err *err)
{
    char mark[PIW_SITE_MARK_LEN + 1];
    int rc = piw_site_mark_read(self->root, mark, err);
    PGresult *rows = rc == 0 ? rows_ask(self, "SELECT mark FROM piw.site", 0, NULL, err) : NULL;
    if (rc == 0 && rows == NULL)
        return PIW_EDB;
    if (rc == 0 && (PQntuples(rows) == 0 || strcmp(PQgetvalue(rows, 0, 0), mark) != 0))
        rc = piw_err_set(err, PIW_EREFUSED, "the database belongs to another site than %s: their marks differ",
                         self->root);
    PQclear(rows);
    return rc;
}

static int count_units(audit *self, piw_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < AUDIT_PHASES; i++)
        rc = rows_number(self, phases[i].count, &self->units_all[i], err);
    for (int i = 0; i < (int)self->phase; i++)
        self->units[i] = self->units_all[i];
    return rc;
}

static int run_phase(audit *self, piw_err *err)
{
    int rc = 0;
    while (rc == 0 && !audit_stopped()) {
        char *key;
        rc = phases[self->phase].next(self, self->after, &key, err);
        if (rc != 0 || key == NULL)
            return rc;
        rc = suspects_first(self, self->phase, key, err);
        if (rc == 0 && !audit_stopped())
            rc = journal_note(self, "at", audit_phase_name(self->phase), key, err);
        free(self->after);
        self->after = key;
        self->units[self->phase]++;
        if (rc == 0)
            rc = suspects_again(self, false, err);
    }
    return rc;
}

static int run(audit *self, piw_err *err)
{
    int rc = 0;
    for (; rc == 0 && self->phase < AUDIT_PHASES && !audit_stopped(); self->phase++) {
        rc = run_phase(self, err);
        if (rc != 0 || audit_stopped())
            break;
        free(self->after);
        self->after = NULL;
    }
    if (self->phase == AUDIT_PHASES)
        self->phase = AUDIT_SITE;
    if (rc == 0)
        rc = suspects_again(self, true, err);
    if (rc == 0 && audit_stopped())
        rc = piw_err_set(err, PIW_ESTOPPED, "stopped; the next run goes on where this one ended");
    return rc;
}

static int all(audit *self, int argc, char **argv, piw_config **config, piw_err *err)
{
    piw_protocol_use(&import_protocol_def);
    int rc = piw_config_load(config, &program, argc, argv, err);
    if (rc > 0)
        exit(EXIT_CLEAN); /* --help, --version */
    if (rc == 0)
        rc = settle(self, *config, err);
    if (rc == 0)
        rc = audit_catch_signals(err);
    if (rc == 0)
        rc = rows_open(self, err);
    if (rc == 0)
        rc = check_mark(self, err);
    if (rc == 0)
        rc = journal_open(self, err);
    if (rc == 0)
        rc = count_units(self, err);
    for (size_t i = 0; rc == 0 && !self->json && i < self->found.count; i++)
        findings_print(&self->found.at[i]);
    if (rc == 0)
        rc = run(self, err);
    if (rc == 0)
        rc = journal_end(self, err);
    return rc;
}

int main(int argc, char **argv)
{
    audit self = {0};
    piw_err err = {0};
    piw_config *config = NULL;
    int rc = all(&self, argc, argv, &config, &err);
    if (self.journal != NULL) {
        pace_show(&self, true);
        if (self.progress.shown)
            fputc('\n', stderr);
        if (self.json) {
            int written = findings_json(&self, rc == 0, &err);
            rc = rc != 0 ? rc : written;
        }
    }
    int end = rc != 0 ? EXIT_NOT_RUN : self.found.count > 0 ? EXIT_FINDINGS : EXIT_CLEAN;
    if (rc != 0)
        (void)piw_program_exit(&program, &err);
    journal_close(&self);
    suspects_fini(&self);
    findings_fini(&self.found);
    PQclear(self.page);
    PQfinish(self.conn);
    piw_client_close(&self.clerk.queue);
    free(self.rebuilt);
    free(self.after);
    piw_config_free(&config);
    return end;
}
