/* site_watch.c — is the output folder still the site that the database means (shared/site_mark.h)? Asked once of the database, then
 * looked at each second. While it isn't, the farm pauses, and every job of a writer refuses by itself. */
#include "juggler.h"

#include "db.piw.h"
#include "shared/site_mark.h"
#include "stats.piw.h"

#include <stdio.h>

enum {
    LOOK_EVERY_MS = 1000,
    ANSWER_MS = 10000,
    TELL_EVERY = 10, /* looks: big_brother may have begun anew */
};

static int ask(piw_task *task, const char *mark)
{
    juggler *self = piw_soul(task);
    piw_msg *call = db_SITE_MARK_make(piw_text_of(mark));
    int rc = piw_call(task, &call, PIW_ON(site_mark), 0, ANSWER_MS);
    piw_msg_free(&call);
    self->mark_asked = rc == 0;
    return rc;
}

static void settled(piw_task *task, juggler *self)
{
    if (!self->site_settled)
        piw_ready(task);
    self->site_settled = true;
}

static int tell(piw_task *task, bool away, const char *why)
{
    piw_msg *msg = stats_SITE_make(away, piw_text_of(why));
    int rc = piw_cast(task, &msg);
    if (rc != 0)
        piw_debug("nobody heard how the site is: %s", piw_err_name(rc));
    piw_msg_free(&msg);
    return 0;
}

static int go_away(piw_task *task, juggler *self, const char *why)
{
    if (!self->site_away) {
        piw_error("%s: the farm pauses until the site is back. A file system that isn't mounted looks the same. "
                  "Should this folder become the site from now on, write %s into %s/.farm",
                  why, self->mark, self->root);
        self->site_away = true;
        self->site_looks = 0;
    }
    settled(task, self);
    return self->site_looks++ % TELL_EVERY == 0 ? tell(task, true, why) : 0;
}

/* It is there. */
static int come_back(piw_task *task, juggler *self)
{
    piw_err err = {0};
    if (!self->opened && juggler_open(task, NULL, &err) != 0) {
        piw_fail(task, "what lies on the site can't be read: %s", err.text);
        return 0;
    }
    bool was_away = self->site_away;
    self->site_away = false;
    settled(task, self);
    if (!was_away)
        return 0;
    ready_open(self); /* what wasn't wanted any more while it was away still lies there */
    piw_warning("the output path %s is the farm's site again: the farm goes on", self->root);
    return tell(task, false, "the output path is back");
}

static int compare(piw_task *task, juggler *self, const char *found)
{
    char why[PIW_ERR_TEXT];
    if (strcmp(found, self->mark) == 0)
        return come_back(task, self);
    if (found[0] == '\0')
        snprintf(why, sizeof(why), "the output path %s is gone or empty: its mark .farm isn't there", self->root);
    else
        snprintf(why, sizeof(why), "the output path %s is another farm's site: its mark .farm is %s", self->root,
                 found);
    return go_away(task, self, why);
}

static int look(piw_task *task, juggler *self)
{
    char found[PIW_SITE_MARK_LEN + 1];
    piw_err err = {0};
    int rc = piw_site_mark_read(self->root, found, &err);
    if (self->mark[0] == '\0') /* the database hasn't said yet which one it means */
        return self->mark_asked ? 0 : ask(task, rc == 0 ? found : "");
    return rc == 0 ? compare(task, self, found) : go_away(task, self, err.text);
}

int on_site_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return look(task, piw_soul(task));
}

/* The first start: neither the database nor the folder has a mark. The folder gets it first: a mark in the database alone
 * would say that the site is lost. */
static int mark_folder(piw_task *task, juggler *self)
{
    char mark[PIW_SITE_MARK_LEN + 1];
    piw_err err = {0};
    int rc = piw_site_mark_make(mark, &err);
    if (rc == 0)
        rc = piw_site_mark_write(self->root, mark, &err);
    if (rc == 0)
        return ask(task, mark);
    piw_outage_goes_on(&self->troubles[TROUBLE_MARK], PIW_LOG_ERROR, 0, "%s", err.text);
    return 0; /* the next look asks again */
}

int on_site_mark(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    self->mark_asked = false;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_MARK], PIW_LOG_WARNING, 0,
                           "can't ask the database which site it means: %s", piw_msg_error_text(reply));
        return 0;
    }
    piw_text mark = db_SITE_MARK_reply_of(reply)->mark;
    if (mark.len == 0)
        return mark_folder(task, self);
    if (mark.len != PIW_SITE_MARK_LEN) {
        piw_outage_goes_on(&self->troubles[TROUBLE_MARK], PIW_LOG_ERROR, 0,
                           "the database's mark of the site, %s, is none", mark.s);
        return 0;
    }
    piw_outage_over(&self->troubles[TROUBLE_MARK], "the database has said which site it means");
    memcpy(self->mark, mark.s, mark.len + 1);
    return look(task, self);
}

int site_watch_begin(piw_task *task)
{
    juggler *self = piw_soul(task);
    /* One that bears a mark is the site in all likelihood, and the database may be away. Only the first start waits: others
     * have peers that want answers. */
    self->site_settled = self->opened || self->why != PIW_BOOT;
    return piw_timer(task, PIW_ON(site_look), 0, 0, LOOK_EVERY_MS);
}
