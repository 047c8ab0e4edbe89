/* suspects.c — what looked odd is looked at again: wheels come before their pages, rows before their files, and the other way round when
 * something goes. Only what is there at three looks in a row, and isn't on its way, is a finding. */
#include "audit.h"

#include "shared/site_mark.h"

enum {
    LOOKS = 3,
    SUSPECTS_MAX = 1000, /* more are waited for before it goes on */
    NAP_NS = 50000000,
};

typedef int check_fn(audit *self, const char *key, findings *found, piw_err *err);
static check_fn *const checks[AUDIT_PHASES] = {check_database, check_package, check_logs, check_site};

/* What a site that has just gone shows is no finding. */
static int look(audit *self, audit_phase phase, const char *key, findings *found, piw_err *err)
{
    int rc = piw_site_there(self->root, err);
    if (rc == 0)
        rc = checks[phase](self, key, found, err);
    if (rc == 0)
        rc = piw_site_there(self->root, err);
    for (size_t i = 0; i < found->count; i++)
        while (i < found->count && findings_has(&self->found, &found->at[i]) != NULL)
            findings_remove(found, i);
    return rc;
}

int suspects_first(audit *self, audit_phase phase, const char *key, piw_err *err)
{
    findings found = {0};
    int rc = look(self, phase, key, &found, err);
    if (rc == 0 && found.count > 0)
        rc = journal_note(self, "suspect", audit_phase_name(phase), key, err);
    if (rc != 0 || found.count == 0) {
        findings_fini(&found);
        return rc;
    }
    suspects_add(self, phase, key, &found);
    while (rc == 0 && self->suspects_count >= SUSPECTS_MAX && !audit_stopped()) {
        rc = suspects_again(self, false, err);
        pace_sleep(NAP_NS);
    }
    return rc;
}

/* What is there again keeps its history. */
static void merge(suspect *one, findings *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const finding *before = findings_has(&one->list, &found->at[i]);
        if (before != NULL) {
            found->at[i].seen = before->seen + 1;
            found->at[i].first_ns = before->first_ns;
        }
    }
    findings_fini(&one->list);
    one->list = *found;
}

static int report(audit *self, findings *list, size_t index, piw_err *err)
{
    finding *one = &list->at[index];
    if (self->fix)
        mend(self, one);
    int rc = journal_found(self, one, err);
    if (!self->json) {
        tool_progress_clear(&self->progress);
        findings_print(one);
    }
    findings_take(&self->found, one);
    list->at[index] = list->at[--list->count];
    return rc;
}

static int confirm(audit *self, suspect *one, piw_err *err)
{
    int64_t now = piw_monotonic_ns();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < one->list.count;) {
        const finding *it = &one->list.at[i];
        if (it->seen >= LOOKS && (!it->moving || now - it->first_ns >= self->patience_ns))
            rc = report(self, &one->list, i, err);
        else
            i++;
    }
    return rc;
}

static int look_again(audit *self, size_t index, bool *gone, piw_err *err)
{
    suspect *one = &self->suspects[index];
    findings found = {0};
    int rc = look(self, one->phase, one->key, &found, err);
    if (rc != 0) {
        findings_fini(&found);
        return rc;
    }
    merge(one, &found);
    rc = confirm(self, one, err);
    one->next_ns = piw_monotonic_ns() + self->settle_ns;
    *gone = one->list.count == 0;
    if (rc == 0 && *gone) {
        rc = journal_note(self, "clear", audit_phase_name(one->phase), one->key, err);
        suspects_remove(self, index);
    }
    return rc;
}

int suspects_again(audit *self, bool all, piw_err *err)
{
    int rc = 0;
    do {
        for (size_t i = 0; rc == 0 && i < self->suspects_count && !audit_stopped();) {
            bool gone = false;
            if (self->suspects[i].next_ns <= piw_monotonic_ns())
                rc = look_again(self, i, &gone, err);
            i += gone ? 0 : 1;
        }
        pace_show(self, false);
        if (all && rc == 0 && self->suspects_count > 0)
            pace_sleep(NAP_NS);
    } while (all && rc == 0 && self->suspects_count > 0 && !audit_stopped());
    return rc;
}
