/* piw-add — makes packages and versions known to the farm, or changes what is known of them (docs/importing.md). */
#include "common/clerk.h"
#include "common/programs.h"
#include "piw/log.h"
#include "pypi.h"
#include "released.h"
#include "shared/text.h"

#include <stdlib.h>

static const piw_opt options[] = {
    {'s', "skip", PIW_OPT_TEXT, "REASON", NULL, "why it isn't to be built", .cli_only = true},
    {0, "unskip", PIW_OPT_SWITCH, NULL, NULL, "build it although it was skipped", .cli_only = true},
    {'d', "description", PIW_OPT_TEXT, "TEXT", NULL, "of the package (default: PyPI's summary)", .cli_only = true},
    {'a', "alias", PIW_OPT_LIST, "ALIAS", NULL, "another spelling of the package's name", .cli_only = true},
    {'r', "released", PIW_OPT_TEXT, "TIME", NULL,
     "when the version was released, 'YYYY-MM-DD HH:MM:SS' in UTC (default: now)", .cli_only = true},
    {0, "yank", PIW_OPT_SWITCH, NULL, NULL, "the version is new and yanked", .cli_only = true},
    {0, "unyank", PIW_OPT_SWITCH, NULL, NULL, "the version is yanked no more", .cli_only = true},
    {0, "pypi-json", PIW_OPT_TEXT, "URL", "https://pypi.org/pypi", "PyPI's descriptions: URL/PACKAGE/json"},
    CLERK_OPTIONS,
};

static const piw_program program = {
    .name = "piw-add",
    .section = "add",
    .summary = "Adds a package, or a version of a known package, to the farm; or changes what is known of it.",
    .options = options,
    .sections = farm_sections,
    .operands = "PACKAGE [VERSION]",
    .operands_min = 1,
    .operands_max = 2,
};

static const clerk_word words[] = {
    {"NEWPKG", false, "was added"},
    {"UPDPKG", false, "was known already and was brought up to date"},
    {"NEWVER", false, "was added"},
    {"UPDVER", false, "was known already and was brought up to date"},
    {"NOPKG", true, "can't be added: the package is unknown to the master; add it first"},
    {"SKIPPKG", true, "is known already and wasn't changed: to skip it, use piw-remove --skip"},
    {"SKIPVER", true, "is known already and wasn't changed: to skip it, use piw-remove --skip"},
    {"YANKVER", true, "is known already and wasn't changed: to yank it, use piw-remove --yank"},
    {0},
};

enum { DESCRIPTION_TEXT_MAX = 16000 }; /* characters that are looked at before the text is cut */

typedef struct wish {
    const char *package, *version; /* version NULL: the package itself */
    char canonical[PIW_NAME_MAX + 1];
    const char *skip, *description; /* NULL: not given */
    const char *const *aliases;
    size_t aliases_count;
    piw_time released;
    bool unskip, yank, unyank;
} wish;

/* --- What is wished ------------------------------------------------------------------------------------------------ */

static int check_alias(const wish *w, const char *alias, piw_err *err)
{
    if (piw_name_same(piw_text_of(alias), piw_text_of(w->package)))
        return 0;
    return piw_err_set(err, PIW_EREFUSED, "'%.100s' is no spelling of %.200s: it must become the same name", alias,
                       w->canonical);
}

/* Options that say nothing of a package, or nothing of a version, or each other's opposite. */
static int check_options(const clerk *self, const wish *w, piw_err *err)
{
    static const char *const of_versions[] = {"released", "yank", "unyank"};
    for (size_t i = 0; w->version == NULL && i < PIW_COUNT(of_versions); i++)
        if (piw_config_given(self->config, of_versions[i]))
            return piw_err_set(err, PIW_EUSAGE, "--%s needs a VERSION: it isn't of the package", of_versions[i]);
    if (w->version != NULL && w->description != NULL)
        return piw_err_set(err, PIW_EUSAGE, "--description is of the package: leave out the VERSION");
    if (w->skip != NULL && w->unskip)
        return piw_err_set(err, PIW_EUSAGE, "--skip and --unskip exclude each other");
    if (w->yank && w->unyank)
        return piw_err_set(err, PIW_EUSAGE, "--yank and --unyank exclude each other");
    return 0;
}

static int check_texts(const wish *w, piw_err *err)
{
    int rc = w->version != NULL ? clerk_check_version(w->version, err) : 0;
    if (rc == 0 && w->skip != NULL)
        rc = clerk_check_text("--skip", w->skip, CLERK_REASON_MAX, err);
    if (rc == 0 && w->description != NULL && w->description[0] != '\0')
        rc = clerk_check_text("--description", w->description, DESCRIPTION_TEXT_MAX, err);
    for (size_t i = 0; rc == 0 && i < w->aliases_count; i++)
        rc = check_alias(w, w->aliases[i], err);
    return rc;
}

static int read_wish(const clerk *self, wish *w, piw_err *err)
{
    const char *released = piw_config_text(self->config, "released");
    *w = (wish){.package = self->operands[0],
                .version = self->operands_count > 1 ? self->operands[1] : NULL,
                .skip = piw_config_text(self->config, "skip"),
                .description = piw_config_text(self->config, "description"),
                .unskip = piw_config_switch(self->config, "unskip"),
                .yank = piw_config_switch(self->config, "yank"),
                .unyank = piw_config_switch(self->config, "unyank"),
                .released = add_released_now()};
    w->aliases_count = piw_config_list(self->config, "alias", &w->aliases);
    int rc = clerk_check_package(w->package, w->canonical, err);
    rc = rc != 0 ? rc : check_options(self, w, err);
    rc = rc != 0 ? rc : check_texts(w, err);
    if (rc == 0 && released != NULL)
        rc = add_released_parse(released, &w->released, err);
    return rc;
}

/* --- The requests -------------------------------------------------------------------------------------------------- */

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* PyPI's description, when the user gives none. Without one the package is added all the same. */
static piw_text describe(const clerk *self, const wish *w, piw_msg *msg)
{
    piw_err err = {0};
    piw_text text = {"", 0};
    if (w->description != NULL)
        return piw_text_cut(msg, piw_msg_textz(msg, w->description), ADD_DESCRIPTION_MAX);
    const char *url = piw_config_text(self->config, "pypi-json");
    int rc = add_pypi_summary(url, w->canonical, msg, &text, &err);
    if (rc == PIW_ENOENT)
        piw_info("no description: %s", err.text);
    else if (rc != 0)
        piw_warning("no description: %s", err.text);
    return rc == 0 ? text : piw_msg_textz(msg, "");
}

/* Both messages have a list of the same form. */
#define SET_ALIASES(msg, body, w)                                                                                      \
    do {                                                                                                               \
        piw_msg_list((msg), &(body)->aliases, (w)->aliases_count);                                                     \
        for (size_t alias = 0; alias < (w)->aliases_count; alias++)                                                    \
            (body)->aliases.at[alias] = piw_msg_textz((msg), (w)->aliases[alias]);                                     \
    } while (0)

static piw_msg *package_request(const clerk *self, const wish *w)
{
    import_ADDPKG *body;
    piw_msg *msg = import_ADDPKG_new(&body);
    body->name = piw_msg_textz(msg, w->package);
    body->description = describe(self, w, msg);
    body->skip = piw_msg_textz(msg, text_or_empty(w->skip));
    body->unskip = w->unskip;
    SET_ALIASES(msg, body, w);
    return msg;
}

static piw_msg *version_request(const wish *w)
{
    import_ADDVER *body;
    piw_msg *msg = import_ADDVER_new(&body);
    body->name = piw_msg_textz(msg, w->package);
    body->version = piw_msg_textz(msg, w->version);
    body->skip = piw_msg_textz(msg, text_or_empty(w->skip));
    body->unskip = w->unskip;
    body->released = w->released;
    body->yank = w->yank;
    body->unyank = w->unyank;
    SET_ALIASES(msg, body, w);
    return msg;
}

static int run(clerk *self, piw_err *err)
{
    wish w;
    int rc = read_wish(self, &w, err);
    if (rc != 0)
        return rc;
    char *subject = w.version == NULL ? piw_sprintf("package %s", w.package)
                                      : piw_sprintf("version %s of %s", w.version, w.package);
    rc = clerk_agree(self, err, "Add %s, or bring it up to date?", subject);
    if (rc == 0)
        rc = clerk_command(self, w.version == NULL ? package_request(self, &w) : version_request(&w), subject, words,
                           err);
    free(subject);
    return rc;
}

int main(int argc, char **argv)
{
    return clerk_main(&program, run, argc, argv);
}
