/* notes.c — what several parts do alike with a build: it goes into the journal and out of it, its log goes, and what a check has found is said. */
#include "juggler.h"

#include "file_juggler.piw.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <sys/stat.h>

bool juggler_is_staged(const juggler *self, int64_t build_id)
{
    char folder[PIW_PATH_MAX];
    struct stat there;
    return piw_path_staged(folder, self->root, build_id, (piw_text){0}) && stat(folder, &there) == 0 &&
           S_ISDIR(there.st_mode);
}

piw_msg *juggler_describe(int64_t build_id, piw_text package, piw_text view, journal_build **body)
{
    piw_msg *record = journal_build_new(body);
    (*body)->build_id = build_id;
    (*body)->package = piw_text_copy(record, package);
    (*body)->view = piw_text_copy_some(record, view);
    return record;
}

int juggler_note(juggler *self, piw_msg *record, piw_err *err)
{
    int rc = journal_put(&self->journal, &record, err);
    piw_msg_free(&record);
    if (rc != 0)
        piw_outage_goes_on(&self->troubles[TROUBLE_JOURNAL], PIW_LOG_ERROR, 0, "%s", err->text);
    else
        piw_outage_over(&self->troubles[TROUBLE_JOURNAL], "builds are noted again");
    return rc;
}

void juggler_ended(juggler *self, int64_t build_id)
{
    journal_end(&self->journal, build_id);
    self->unsynced = true;
}

void juggler_remove_log(const juggler *self, int64_t build_id)
{
    char path[PIW_PATH_MAX];
    piw_err err = {0};
    if (piw_path_log(path, self->root, build_id) && piw_file_remove(path, &err) != 0)
        piw_error("%s", err.text);
}

piw_msg *juggler_verdict(piw_task *task, const piw_msg *reply)
{
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_CHECK], PIW_LOG_ERROR, 0, "%s", piw_msg_error_text(reply));
        return NULL;
    }
    piw_outage_over(&self->troubles[TROUBLE_CHECK], "files are checked again");
    const check_file_reply *checked = check_file_reply_of(reply);
    if (!checked->good)
        piw_info("%s", checked->why.s);
    if (!checked->good && checked->refused_by.len > 0)
        counts_refused(self, checked->refused_by);
    fs_VERIFY_reply *body;
    piw_msg *answer = fs_VERIFY_reply_new(&body);
    body->good = checked->good;
    body->final = checked->final;
    body->why = piw_text_copy(answer, checked->why);
    piw_value_copy(answer, built_file_type(), &checked->file, &body->file);
    return answer;
}
