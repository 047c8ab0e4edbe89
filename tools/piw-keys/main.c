/* piw-keys — who may speak to a master encrypted: makes, lists and revokes keys (docs/security.md#keys). */
#include "common/programs.h"
#include "folder.h"
#include "piw/log.h"
#include "piw/options.h"

#include <stdio.h>
#include <stdlib.h>

static const piw_opt options[] = {
    {0, "keys", PIW_OPT_PATH, "DIR", "/etc/piwheels/keys", "the folder of keys, as [auth] keys of the master names it"},
    {0, "for", PIW_OPT_CHOICE, NULL, "slave",
     "make: what it opens: the slave and file queue, or the status and control queue", .choices = "slave|monitor"},
    {'o', "output", PIW_OPT_PATH, "FILE", NULL, "make: the file for who connects (default: NAME.key)",
     .cli_only = true},
    PIW_OPT_END,
};

static const char summary[] =
    "Makes, lists and revokes the keys of those who may speak to a master encrypted. A master that runs\n"
    "heeds at once what has changed.\n"
    "  make NAME    a key pair; the file that is written is for the machine that connects: with --key\n"
    "  list         the names, what they open, and when they were made\n"
    "  revoke NAME  lets the key in no more, and ends its connections";

static const piw_program program = {
    .name = "piw-keys",
    .section = "keys",
    .summary = summary,
    .options = options,
    .sections = farm_sections,
    .operands = "make NAME|list|revoke NAME",
    .operands_min = 1,
    .operands_max = 2,
};

static const char *queues_for(const char *whom)
{
    return strcmp(whom, "slave") == 0 ? "slave file" : "status control";
}

static int make(const piw_config *config, const char *name, piw_err *err)
{
    const char *given = piw_config_text(config, "output");
    char *output = given != NULL ? piw_strdup(given) : piw_sprintf("%s.key", name);
    int rc = keys_make(piw_config_text(config, "keys"), name, queues_for(piw_config_text(config, "for")), output, err);
    if (rc == 0)
        printf("made %s: bring %s to the machine that is to use it, and name it there with --key\n", name, output);
    free(output);
    return rc;
}

static int revoke(const piw_config *config, const char *name, piw_err *err)
{
    int rc = keys_revoke(piw_config_text(config, "keys"), name, err);
    if (rc == 0)
        printf("revoked %s\n", name);
    return rc;
}

static int run(const piw_config *config, piw_err *err)
{
    const char *const *operands;
    size_t count = piw_config_operands(config, &operands);
    const char *word = operands[0], *name = count > 1 ? operands[1] : NULL;
    bool list = strcmp(word, "list") == 0, makes = strcmp(word, "make") == 0;
    if (!list && !makes && strcmp(word, "revoke") != 0)
        return piw_err_set(err, PIW_EUSAGE, "'%.50s' is none of make, list and revoke", word);
    if (list != (name == NULL))
        return piw_err_set(err, PIW_EUSAGE, list ? "list takes no name" : "%s needs a name", word);
    if (!list && (!piw_key_name_good(name) || strcmp(name, "master") == 0))
        return piw_err_set(
            err, PIW_EUSAGE,
            "'%.100s' can't be the name of a key: at most %d of a-z, 0-9, '.', '_' and '-', with a letter or digit "
            "first; and \"master\" is the master's own",
            name, PIW_KEY_NAME);
    return list    ? keys_list(piw_config_text(config, "keys"), err)
           : makes ? make(config, name, err)
                   : revoke(config, name, err);
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? EXIT_SUCCESS : piw_program_exit(&program, &err);
    rc = run(config, &err);
    if (fflush(stdout) != 0 && rc == 0)
        rc = piw_err_errno(&err, "can't write to standard output");
    piw_config_free(&config);
    return piw_program_exit(&program, rc != 0 ? &err : NULL);
}
