/* journal.c — how far it is, line by line in a file: an audit that was ended, in whatever way, goes on there. Each line is an array of
 * texts in JSON; a last one that was cut off is passed over. */
#include "audit.h"

#include "piw/log.h"
#include "shared/text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIELDS = 7 };

static audit_phase phase_of(const char *name)
{
    audit_phase phase = AUDIT_DATABASE;
    while (phase < AUDIT_PHASES && strcmp(audit_phase_name(phase), name) != 0)
        phase++;
    return phase;
}

static void load_found(audit *self, const char *const *field)
{
    if (mend_kind(field[1]) == NULL)
        return;
    finding one = {.kind = mend_kind(field[1]),
                   .path = piw_strdup(field[2]),
                   .what = piw_strdup(field[3]),
                   .package = field[4][0] != '\0' ? piw_strdup(field[4]) : NULL,
                   .done = field[5][0] != '\0' ? piw_strdup(field[5]) : NULL,
                   .mended = strcmp(field[6], "mended") == 0,
                   .asked = strcmp(field[6], "asked") == 0};
    findings_take(&self->found, &one);
}

static void load_line(audit *self, const char *const *field)
{
    audit_phase phase = phase_of(field[1]);
    if (strcmp(field[0], "found") == 0) {
        load_found(self, field);
    } else if (phase == AUDIT_PHASES) {
        piw_debug("a line of %s isn't known", self->journal_path);
    } else if (strcmp(field[0], "at") == 0) {
        self->phase = phase;
        free(self->after);
        self->after = piw_strdup(field[2]);
    } else if (strcmp(field[0], "suspect") == 0) {
        suspects_put(self, phase, field[2]);
    } else if (strcmp(field[0], "clear") == 0) {
        suspects_drop(self, phase, field[2]);
    }
}

static void load_text(audit *self, const char *text)
{
    const char *field[FIELDS] = {"", "", "", "", "", "", ""};
    cJSON *line = cJSON_Parse(text), *item = line != NULL ? line->child : NULL;
    for (int i = 0; i < FIELDS && item != NULL; i++, item = item->next)
        field[i] = cJSON_IsString(item) ? item->valuestring : "";
    load_line(self, field);
    cJSON_Delete(line);
}

static int load(audit *self, piw_err *err)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    off_t whole = 0;
    while ((len = getline(&text, &room, self->journal)) > 0 && text[len - 1] == '\n') {
        whole += len;
        load_text(self, text);
    }
    free(text);
    if (ferror(self->journal) || ftruncate(fileno(self->journal), whole) != 0 ||
        fseeko(self->journal, whole, SEEK_SET) != 0)
        return piw_err_errno(err, "can't read %s", self->journal_path);
    if (whole > 0)
        piw_info("goes on where an earlier run ended: %s%s%s, %zu findings until then", audit_phase_name(self->phase),
                 self->after != NULL ? " behind " : "", self->after != NULL ? self->after : "", self->found.count);
    return 0;
}

static int make_folder(audit *self, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    if (!piw_path_audit(folder, self->root, NULL))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", self->root);
    return mkdir(folder, 0700) == 0 || errno == EEXIST ? 0 : piw_err_errno(err, "can't make the folder %s", folder);
}

int journal_open(audit *self, piw_err *err)
{
    char path[PIW_PATH_MAX];
    const char *given = piw_config_text(self->config, "state");
    int rc = given == NULL ? make_folder(self, err) : 0;
    if (rc == 0 && given == NULL && !piw_path_audit(path, self->root, "state"))
        rc = piw_err_set(err, PIW_EINVAL, "the output path %s is too long", self->root);
    if (rc != 0)
        return rc;
    self->journal_path = piw_strdup(given != NULL ? given : path);
    int fd = open(self->journal_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    self->journal = fd >= 0 ? fdopen(fd, "r+") : NULL;
    if (self->journal == NULL) {
        rc = piw_err_errno(err, "can't open the state file %s", self->journal_path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return piw_err_set(err, PIW_EEXIST, "another piw-audit is at work with %s", self->journal_path);
    if (piw_config_switch(self->config, "restart") && ftruncate(fd, 0) != 0)
        return piw_err_errno(err, "can't empty %s", self->journal_path);
    return load(self, err);
}

static int put_line(audit *self, const char *const *fields, size_t count, piw_err *err)
{
    piw_buffer line = {0};
    for (size_t i = 0; i < count; i++) {
        piw_put(&line, i > 0 ? "," : "[");
        piw_put_json(&line, piw_text_of(fields[i] != NULL ? fields[i] : ""));
    }
    piw_put(&line, "]\n");
    bool written = fwrite(line.data, 1, line.len, self->journal) == line.len && fflush(self->journal) == 0;
    piw_buffer_fini(&line);
    return written ? 0 : piw_err_errno(err, "can't write %s", self->journal_path);
}

int journal_note(audit *self, const char *word, const char *a, const char *b, piw_err *err)
{
    return put_line(self, (const char *[]){word, a, b}, 3, err);
}

int journal_found(audit *self, const finding *one, piw_err *err)
{
    const char *fields[] = {"found",
                            one->kind,
                            one->path,
                            one->what,
                            one->package,
                            one->done,
                            one->mended ? "mended" : one->asked ? "asked" : ""};
    return put_line(self, fields, PIW_COUNT(fields), err);
}

int journal_end(audit *self, piw_err *err)
{
    return ftruncate(fileno(self->journal), 0) == 0 ? 0 : piw_err_errno(err, "can't empty %s", self->journal_path);
}

void journal_close(audit *self)
{
    if (self->journal != NULL && fclose(self->journal) != 0)
        piw_warning("%s may not be whole", self->journal_path);
    free(self->journal_path);
}
