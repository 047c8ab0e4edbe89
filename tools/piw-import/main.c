/* piw-import — brings wheels that were built elsewhere into the farm (docs/importing.md). */
#include "build.h"
#include "common/clerk.h"
#include "common/programs.h"
#include "common/reach.h"
#include "deliver.h"
#include "piw/log.h"
#include "shared/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const piw_opt options[] = {
    {0, "package", PIW_OPT_TEXT, "PACKAGE", NULL, "what it is a build of (default: as the first file says)",
     .cli_only = true},
    {0, "package-version", PIW_OPT_TEXT, "VERSION", NULL, "of which version (default: as the first file says)",
     .cli_only = true},
    {0, "abi", PIW_OPT_TEXT, "ABI", NULL,
     "for which ABI it was built (default: as the first file says; needed when that is none, abi3 or a set)",
     .cli_only = true},
    {0, "view", PIW_OPT_TEXT, "VIEW", NULL,
     "for which kind of machine it was built, as the master's configuration names it", .cli_only = true},
    {0, "duration", PIW_OPT_DURATION, "DURATION", "0s", "how long the build took", .max = INT64_C(366) * 86400 * 1000,
     .cli_only = true},
    {0, "output", PIW_OPT_PATH, "FILE", NULL, "the build's log", .cli_only = true},
    {0, "dependencies", PIW_OPT_PATH, "FILE", NULL,
     "what the wheels need beside what their METADATA says: lines of apt packages, or 'apt: NAME…', 'pip: NAME…'",
     .cli_only = true},
    {'d', "delete", PIW_OPT_SWITCH, NULL, NULL, "remove the files when all of them are imported"},
    {0, "file-queue", PIW_OPT_TEXT, "ADDR", "tcp://localhost:5556", "the master's file queue"},
    CLERK_OPTIONS,
};

static const piw_program program = {
    .name = "piw-import",
    .section = "import",
    .summary = "Imports wheels that were built elsewhere: all files are one build of one version, which the master\n"
               "must know (see piw-add).",
    .options = options,
    .sections = farm_sections,
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = -1,
};

static void show(const build *b)
{
    char size[32];
    printf("Build of %s %s for %s:\n", b->package, b->version, b->abi);
    for (size_t i = 0; i < b->count; i++)
        printf("  %s (%s)\n", b->files[i].filename, piw_size_print(b->files[i].size, size, sizeof(size)));
    for (int kind = 0; kind < NEEDS_KINDS; kind++)
        for (size_t i = 0; i < b->needs.lists[kind].count; i++)
            printf("  needs %s: %s\n", kind == NEEDS_OTHER ? "library" : needs_keys[kind], b->needs.lists[kind].at[i]);
}

/* What is going to happen, and whether it shall. */
static int agree(const clerk *self, const build *b, bool removes, piw_err *err)
{
    if (!piw_config_switch(self->config, "quiet") || !piw_config_switch(self->config, "yes"))
        show(b);
    return clerk_agree(self, err, removes ? "Import it, and remove the files here?" : "Import it?");
}

/* Goes on after a file that can't be removed; the first such is the error. */
static int remove_files(const build *b, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < b->count; i++)
        if (unlink(b->files[i].given) != 0 && errno != ENOENT)
            rc = piw_err_errno(err, "the build was imported, but %.200s can't be removed", b->files[i].given);
    return rc;
}

static int run(clerk *self, piw_err *err)
{
    const piw_config *config = self->config;
    const build_wish wish = {.package = piw_config_text(config, "package"),
                             .version = piw_config_text(config, "package-version"),
                             .abi = piw_config_text(config, "abi"),
                             .view = piw_config_text(config, "view"),
                             .duration_ms = piw_config_int(config, "duration"),
                             .output = piw_config_text(config, "output"),
                             .dependencies = piw_config_text(config, "dependencies")};
    bool removes = piw_config_switch(config, "delete");
    char *file_queue = tool_connect_address(piw_config_text(config, "file-queue"));
    build *b = piw_zalloc(sizeof(*b));
    int rc = build_read(b, &wish, self->operands, self->operands_count, err);
    rc = rc != 0 ? rc : agree(self, b, removes, err);
    rc = rc != 0 ? rc : deliver(self, b, file_queue, err);
    if (rc == 0)
        clerk_say(self, "build of %s %s was imported", b->package, b->version);
    if (rc == 0 && removes)
        rc = remove_files(b, err);
    build_fini(b);
    free(b);
    free(file_queue);
    return rc;
}

int main(int argc, char **argv)
{
    return clerk_main(&program, run, argc, argv);
}
