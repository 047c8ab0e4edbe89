/* piw-new-task — makes the folder of a task of one's own, outside of this tree (docs/writing-a-task.md). */
#include "common/c_words.h"
#include "common/programs.h"
#include "folder.h"
#include "piw/options.h"
#include "template.h"

#include <stdio.h>
#include <stdlib.h>

static const piw_opt options[] = {
    {0, "dir", PIW_OPT_PATH, "FOLDER", NULL, "where the new folder is made (default: here)", .cli_only = true},
    PIW_OPT_END,
};

static const char summary[] =
    "Makes the folder NAME of a new task of the master, with sources, Makefile and a test: it builds,\n"
    "passes its test and can be loaded as it is. NAME is also what the task is called.";

static const piw_program program = {
    .name = "piw-new-task",
    .section = "new-task",
    .summary = summary,
    .options = options,
    .sections = farm_sections,
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
};

static const char *const c_words[] = {C_WORDS};
/* Tasks of this tree, services, files and states of their protocols; and what the new folder itself has. */
static const char *const taken[] = {
#include "taken.inc"
    "probe",
};

static bool is_among(const char *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return false;
}

/* It stands in names of C, of files, of a section and of a service. */
static int check_name(const char *name, piw_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", others[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strspn(name, others);
    if (len == 0 || name[len] != '\0' || len > FARM_TASK_NAME_MAX || strchr(letters, name[0]) == NULL)
        return piw_err_set(err, PIW_EUSAGE,
                           "'%.100s' can't be the name of a task: 1 to %d of a-z, 0-9 and '_', with a letter first",
                           name, FARM_TASK_NAME_MAX);
    /* What is declared for it is called NAME_…: with '_' at its end that has two. */
    if (strstr(name, "__") != NULL || name[len - 1] == '_' || strncmp(name, "piw_", 4) == 0 || strcmp(name, "piw") == 0)
        return piw_err_set(err, PIW_EUSAGE,
                           "the name %s is reserved: no \"__\" in it, no '_' at its end, no \"piw\" before it", name);
    if (is_among(name, c_words, PIW_COUNT(c_words)))
        return piw_err_set(err, PIW_EUSAGE, "%s is a word of C and can't be the name of a task", name);
    if (is_among(name, taken, PIW_COUNT(taken)))
        return piw_err_set(err, PIW_EUSAGE, "the name %s is taken, by piwheels itself or by the new folder's test",
                           name);
    return 0;
}

static void say_what_is_there(const char *folder, const char *name)
{
    printf("made %s:", folder);
    for (size_t i = 0; i < template_files_count; i++) {
        char *path = template_fill(template_files[i].path, name);
        if (template_files[i].text != NULL)
            printf(" %s", path);
        free(path);
    }
    printf("\nnext: cd %s; make; make test (README.md has the rest)\n", folder);
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    const char *const *operands;
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? EXIT_SUCCESS : piw_program_exit(&program, &err);
    piw_config_operands(config, &operands);
    const char *name = operands[0], *dir = piw_config_text(config, "dir");
    char *folder = dir != NULL ? piw_sprintf("%s/%s", dir, name) : piw_strdup(name);
    rc = check_name(name, &err);
    rc = rc != 0 ? rc : folder_make(folder, dir != NULL ? dir : ".", name, &err);
    if (rc == 0)
        say_what_is_there(folder, name);
    free(folder);
    if (fflush(stdout) != 0 && rc == 0)
        rc = piw_err_errno(&err, "can't write to standard output");
    piw_config_free(&config);
    return piw_program_exit(&program, rc != 0 ? &err : NULL);
}
