/* clerk.c — what piw-import, piw-add, piw-remove and piw-rebuild share. */
#include "common/clerk.h"

#include "common/reach.h"
#include "piw/log.h"
#include "shared/text.h"
#include "shared/version.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SEND_MS = 1000,  /* ZeroMQ takes a request at once, also without a connection */
    LOOK_MS = 250,   /* how often the connection is looked at while an answer is waited for */
    QUIET_MS = 5000, /* without an answer for so long: say so, once */
};

/* --- The program --------------------------------------------------------------------------------------------------- */

static int settle(clerk *self, piw_config *config, piw_err *err)
{
    self->config = config;
    self->operands_count = piw_config_operands(config, &self->operands);
    self->address = piw_config_text(config, "import-queue");
    if (piw_codec_parse(piw_config_text(config, "codec"), &self->codec) != 0)
        return piw_err_set(err, PIW_EUSAGE, "there is no codec %.50s", piw_config_text(config, "codec"));
    return 0;
}

int clerk_main(const piw_program *program, clerk_run_fn *run, int argc, char **argv)
{
    clerk self = {0};
    piw_err err = {0};
    piw_config *config = NULL;
    piw_protocol_use(&import_protocol_def);
    int rc = piw_config_load(&config, program, argc, argv, &err);
    if (rc > 0)
        return EXIT_SUCCESS; /* --help, --version */
    if (rc == 0)
        rc = settle(&self, config, &err);
    if (rc == 0)
        rc = run(&self, &err);
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = piw_err_errno(&err, "can't write to standard output");
    piw_client_close(&self.queue);
    piw_config_free(&config);
    return rc == CLERK_NO ? 2 : piw_program_exit(program, rc != 0 ? &err : NULL);
}

/* --- The user ------------------------------------------------------------------------------------------------------ */

void clerk_say(const clerk *self, const char *fmt, ...)
{
    if (piw_config_switch(self->config, "quiet"))
        return;
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

int clerk_agree(const clerk *self, piw_err *err, const char *fmt, ...)
{
    if (piw_config_switch(self->config, "yes"))
        return 0;
    char question[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(question, sizeof(question), fmt, args);
    va_end(args);
    int answer = piw_ask(question);
    if (answer < 0)
        return piw_err_set(err, PIW_EINVAL, "no answer: nothing was done (--yes doesn't ask)");
    return answer == 1 ? 0 : CLERK_NO;
}

int clerk_check_package(const char *name, char *canonical, piw_err *err)
{
    char room[PIW_NAME_MAX + 1];
    if (piw_name_canonical(piw_text_of(name), canonical != NULL ? canonical : room))
        return 0;
    return piw_err_set(err, PIW_EUSAGE,
                       "'%.100s' can't be a package's name: that is 1 to %d letters, digits, '-', '_' and '.', with a "
                       "letter or digit first and last",
                       name, PIW_NAME_MAX);
}

int clerk_check_version(const char *version, piw_err *err)
{
    if (piw_version_acceptable(piw_text_of(version)))
        return 0;
    return piw_err_set(
        err, PIW_EUSAGE,
        "'%.100s' can't be a version: that is 1 to %d characters without '/' and without a dot at the beginning",
        version, PIW_VERSION_MAX);
}

int clerk_check_text(const char *what, const char *text, size_t max, piw_err *err)
{
    size_t len = strlen(text);
    if (len == 0)
        return piw_err_set(err, PIW_EUSAGE, "%s is empty", what);
    if (piw_utf8_valid(text, len) != len || piw_text_has_control(piw_text_of(text)))
        return piw_err_set(err, PIW_EUSAGE, "%s must be one line of UTF-8", what);
    if (piw_utf8_chars(text, len) > max)
        return piw_err_set(err, PIW_EUSAGE, "%s has more than %zu characters", what, max);
    return 0;
}

/* --- The master ---------------------------------------------------------------------------------------------------- */

static int open_queue(clerk *self, piw_err *err)
{
    if (self->queue != NULL)
        return 0;
    int rc = tool_check_listens(self->address, "run this as the master's own user", err);
    return rc != 0 ? rc : piw_client_open(&self->queue, &import_protocol_def, self->address, self->codec, err);
}

/* Nobody answers: has the master gone, was it never there, has it had time enough? */
static int check_waiting(clerk *self, int64_t waited_ms, int patience_s, piw_err *err)
{
    bool met = piw_client_met(self->queue); /* asked first: the connection may be made just now */
    if ((met && !piw_client_connected(self->queue)) || piw_client_reconnected(self->queue))
        return piw_err_set(err, PIW_ENET,
                           "the master at %.200s went away before it answered: look whether it did what was asked",
                           self->address);
    if (!met && waited_ms >= TOOL_REACH_MS)
        return tool_no_master(self->address, err);
    if (waited_ms >= patience_s * INT64_C(1000))
        return piw_err_set(err, PIW_EDEADLINE,
                           "the master at %.200s did not answer within %d s: look whether it did what was asked",
                           self->address, patience_s);
    return 0;
}

static int await(clerk *self, int patience_s, piw_msg **answer, piw_err *err)
{
    int64_t begun_ns = piw_monotonic_ns();
    bool said = false;
    int rc;
    while ((rc = piw_client_recv(self->queue, answer, LOOK_MS, err)) == PIW_EAGAIN) {
        int64_t waited_ms = (piw_monotonic_ns() - begun_ns) / 1000000;
        rc = check_waiting(self, waited_ms, patience_s, err);
        if (rc != 0)
            return rc;
        if (waited_ms >= QUIET_MS && !said && piw_client_connected(self->queue)) {
            said = true;
            piw_warning("no answer yet from the master at %s; waiting for it", self->address);
        }
    }
    return rc;
}

int clerk_ask(clerk *self, piw_msg *request, int patience_s, piw_msg **answer, piw_err *err)
{
    int rc = open_queue(self, err);
    if (rc == 0)
        rc = piw_client_send(self->queue, &request, SEND_MS, err);
    piw_msg_free(&request);
    if (rc == PIW_EAGAIN)
        return tool_no_master(self->address, err);
    return rc != 0 ? rc : await(self, patience_s, answer, err);
}

static const clerk_word *find_word(const clerk_word *words, bool refused, piw_text word)
{
    for (; words->word != NULL; words++)
        if (words->refused == refused && piw_text_is(word, words->word))
            return words;
    return NULL;
}

int clerk_command(clerk *self, piw_msg *request, const char *subject, const clerk_word *words, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = clerk_ask(self, request, CLERK_ANSWER_S, &answer, err);
    if (rc != 0)
        return rc;
    const piw_msg_type *type = piw_msg_type_of(answer);
    if (type == import_DONE_type()) {
        const clerk_word *word = find_word(words, false, import_DONE_of(answer)->action);
        if (word != NULL)
            clerk_say(self, "%s %s", subject, word->meaning);
        else
            rc = piw_err_set(err, PIW_ESHAPE, "the master answered %.50s, which is no answer to this request",
                             import_DONE_of(answer)->action.s);
    } else if (type == import_ERROR_type()) {
        piw_text text = import_ERROR_of(answer)->message;
        const clerk_word *word = find_word(words, true, text);
        rc = word != NULL ? piw_err_set(err, PIW_EREFUSED, "%s %s", subject, word->meaning)
                          : piw_err_set(err, PIW_EREFUSED, "the master refuses: %s", text.s);
    } else {
        rc = piw_err_set(err, PIW_ESHAPE, "the master answered %s, which is no answer to this request", type->name);
    }
    piw_msg_free(&answer);
    return rc;
}
