/* search_round.c — the search index and the sitemaps: the database is read for them piece by piece, then they are written. Nobody
 * waits for them, so they rest between pieces while builds are recorded. */
#include "jobs.h"
#include "pages.h"
#include "soul.h"

#include "db.piw.h"
#include "the_scribe.piw.h"
#include "web.piw.h"

enum { SEARCH_AT_ONCE = 10000 /* entries are put into a buffer as they come: far less than a handler's 10 ms */ };

void search_round_fini(search_round *self)
{
    piw_buffer_fini(&self->downloads);
    piw_buffer_fini(&self->names);
    self->request = 0;
}

/* The next packages. The key is the request's token. */
static int read_search(piw_task *task, search_round *round)
{
    piw_msg *call = db_SEARCH_INDEX_make(piw_text_of(round->after), SEARCH_AT_ONCE);
    int rc = piw_call(task, &call, PIW_ON(search_page), round->request, 0);
    piw_msg_free(&call);
    round->began_ns = piw_monotonic_ns();
    return rc;
}

/* The next piece, at once or after the rest that is due. */
static int go_on(piw_task *task, search_round *round)
{
    int64_t rest_ms = (round->rests_till - piw_monotonic_ns()) / 1000000;
    return rest_ms > 0 ? piw_timer(task, PIW_ON(search_rested), round->request, rest_ms, 0) : read_search(task, round);
}

static void piece_ends(scribe *self)
{
    search_round *round = &self->search;
    int64_t now_ns = piw_monotonic_ns();
    int64_t took_ns = round->began_ns == 0 ? 0 : now_ns - round->began_ns;
    round->rests_till = now_ns + pace_rest_ms(&self->pace, now_ns, took_ns) * 1000000;
}

static int begin_search(piw_task *task, scribe *self, uint64_t key)
{
    search_round *round = &self->search;
    search_round_fini(round);
    round->request = key;
    round->after[0] = '\0';
    page_downloads_begin(&round->downloads);
    int rc = go_on(task, round);
    if (rc != 0)
        search_round_fini(round);
    return rc;
}

int on_search(piw_task *task, piw_msg *msg)
{
    scribe *self = piw_soul(task);
    piw_token token;
    if (self->search.request != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "the search index is being written already");
    int rc = piw_defer(task, msg, &token);
    return rc != 0 ? rc : begin_search(task, self, token.id);
}

/* The request of another key was made to the soul before this one, and what that had read is gone. */
int on_search_rested(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    scribe *self = piw_soul(task);
    return self->search.request != key ? begin_search(task, self, key) : read_search(task, &self->search);
}

static int search_failed(piw_task *task, scribe *self, const piw_msg *reply, uint64_t key)
{
    piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_WARNING, "the search index isn't written: %s",
                    piw_msg_error_text(reply));
    if (self->search.request == key)
        search_round_fini(&self->search);
    return piw_answer_error(task, (piw_token){key}, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
}

static int write_search_files(piw_task *task, scribe *self, uint64_t key)
{
    search_round *round = &self->search;
    page_downloads_end(&round->downloads);
    piw_blob *downloads = piw_blob_new(round->downloads.data, round->downloads.len);
    piw_blob *names = piw_blob_new(round->names.data, round->names.len);
    search_round_fini(round);
    if (downloads == NULL || names == NULL) {
        piw_blob_unref(&downloads);
        piw_blob_unref(&names);
        return piw_answer_error(task, (piw_token){key}, PIW_ENOMEM, "no memory for the search index");
    }
    write_search *body;
    piw_msg *job = write_search_new(&body);
    facts_fill(&self->facts, job, &body->site);
    piw_value_copy(job, write_search_type()->body->fields[1].type, &downloads, &body->downloads);
    piw_value_copy(job, write_search_type()->body->fields[2].type, &names, &body->names);
    piw_blob_unref(&downloads);
    piw_blob_unref(&names);
    int rc = piw_work_background(task, job_write_search, &job, PIW_ON(search_written), key);
    piw_msg_free(&job);
    round->began_ns = piw_monotonic_ns();
    return rc;
}

int on_search_page(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    search_round *round = &self->search;
    if (piw_msg_error(reply) != 0)
        return search_failed(task, self, reply, key);
    if (round->request != key) /* as above */
        return begin_search(task, self, key);
    const db_SEARCH_INDEX_reply *page = db_SEARCH_INDEX_reply_of(reply);
    uint32_t count = page->packages.count;
    piece_ends(self);
    if (count == SEARCH_AT_ONCE) {
        piw_text last = page->packages.at[count - 1].package;
        memcpy(round->after, last.s, last.len + 1);
        int rc = go_on(task, round);
        if (rc != 0)
            return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        page_downloads_add(&page->packages.at[i], round->names.len == 0, &round->downloads);
        piw_put_bytes(&round->names, page->packages.at[i].package.s, page->packages.at[i].package.len + 1);
    }
    return count == SEARCH_AT_ONCE ? 0 : write_search_files(task, self, key);
}

int on_search_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    piece_ends(piw_soul(task));
    if (piw_msg_error(reply) != 0)
        return search_failed(task, piw_soul(task), reply, key);
    piw_msg *answer = scribe_SEARCH_reply_new();
    int rc = piw_answer(task, (piw_token){key}, &answer);
    piw_msg_free(&answer);
    return rc;
}
