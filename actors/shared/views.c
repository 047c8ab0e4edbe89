/* views.c — the farm's views: named kinds of machine, as the configuration has them. */
#include "shared/views.h"

#include "shared/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- names ---------------------------------------------------------------------------------------------------------- */

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* What stands at the top of the site, or may come to stand there. Names with a dot before letters are files'. */
static bool is_sites(piw_text name)
{
    static const char *const taken[] = {"simple",  "project", "logs",  "json",   "feeds",    "static", "search",
                                        "sitemap", "about",   "stats", "status", "packages", "files",  "faq",
                                        "css",     "js",      "img",   "images", "api",      "admin",  "metrics",
                                        "pypi",    "debug",   "index", "common", "any",      "p"};
    for (size_t i = 0; i < PIW_COUNT(taken); i++)
        if (piw_text_is(name, taken[i]))
            return true;
    return false;
}

static bool is_file_name(piw_text name)
{
    size_t at = name.len;
    while (at > 0 && name.s[at - 1] != '.')
        at--;
    return at > 0 && at < name.len && name.s[at] >= 'a' && name.s[at] <= 'z';
}

/* Tags of ABIs are names of queues, as those of views are; and "none" says in lists that a slave is of no view. */
static bool is_abi(piw_text name)
{
    static const char *const letters[] = {"cp", "pp", "py", "pypy", "graalpy", "jy", "ip", "abi"};
    for (size_t i = 0; i < PIW_COUNT(letters); i++) {
        size_t len = strlen(letters[i]);
        if (name.len > len && memcmp(name.s, letters[i], len) == 0 && name.s[len] >= '0' && name.s[len] <= '9')
            return true;
    }
    return piw_text_is(name, "none");
}

const char *piw_view_name_fault(piw_text name)
{
    if (name.len == 0 || name.len > PIW_VIEW_NAME_MAX)
        return "a view's name has 1 to 32 characters";
    if (!is_lower_or_digit(name.s[0]))
        return "a view's name begins with a small letter or a digit";
    for (uint32_t i = 0; i < name.len; i++)
        if (!is_lower_or_digit(name.s[i]) && name.s[i] != '.' && name.s[i] != '-')
            return "a view's name has small letters, digits, dots and hyphens only";
    if (is_sites(name))
        return "the site uses this name itself";
    if (is_file_name(name))
        return "what ends so is the name of one of the site's files";
    if (is_abi(name))
        return "this is what ABIs are called";
    return NULL;
}

bool piw_queue_acceptable(piw_text name)
{
    return piw_abi_acceptable(name) || piw_view_name_fault(name) == NULL;
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

/* The value of a key of the view's section; "" where it has none. */
static const char *value(const piw_farm_view *view, const char *key, piw_view_setting_fn *setting, void *arg)
{
    char name[PIW_VIEW_NAME_MAX + 48];
    snprintf(name, sizeof(name), "view:%s.%s", view->name, key);
    const char *text = setting(arg, name);
    return text != NULL ? text : "";
}

static const char *const separators = ", \t\n[]\"'";

/* Words with commas or blanks between, perhaps in [ ]. */
static int read_words(piw_view_words *words, const char *text, piw_err *err)
{
    for (const char *s = text + strspn(text, separators); *s != '\0';) {
        size_t len = strcspn(s, separators);
        if (words->count == PIW_VIEW_WORDS_MAX)
            return piw_err_set(err, PIW_ECONFIG, "more than %d words", PIW_VIEW_WORDS_MAX);
        words->at = piw_realloc((void *)words->at, (words->count + 1) * sizeof(*words->at));
        words->at[words->count++] = piw_strndup(s, len);
        s += len;
        s += strspn(s, separators);
    }
    return 0;
}

static int refuse(const piw_farm_view *view, const char *key, const char *why, piw_err *err)
{
    return piw_err_set(err, PIW_ECONFIG, "[view:%s]: %s %s", view->name, key, why);
}

static int check_platforms(const piw_farm_view *view, piw_err *err)
{
    if (view->platforms.count == 0)
        return refuse(view, "platform", "is missing: what its slaves' wheels are for, such as linux_aarch64", err);
    for (size_t i = 0; i < view->platforms.count; i++) {
        const char *platform = view->platforms.at[i];
        if (strspn(platform, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(platform) || strlen(platform) > 100)
            return refuse(view, "platform", "has a word that is no platform's tag, such as linux_aarch64", err);
        if (strcmp(platform, "any") == 0)
            return refuse(view, "platform", "says any, which every view takes", err);
    }
    return 0;
}

static int check_version(const piw_farm_view *view, piw_err *err)
{
    const char *s = view->os_version;
    if (strspn(s, "0123456789.") != strlen(s) || s[0] == '.' || strstr(s, "..") != NULL ||
        (s[0] != '\0' && s[strlen(s) - 1] == '.'))
        return refuse(view, "os_version", "is no number with dots, such as 12 or 12.5", err);
    return 0;
}

/* "*" alone stands for anything. */
static int read_any(piw_view_words *words, const char *text, piw_err *err)
{
    return strcmp(text, "*") == 0 ? 0 : read_words(words, text, err);
}

static int read_view(piw_farm_view *view, piw_view_setting_fn *setting, void *arg, piw_err *err)
{
    struct {
        const char *key;
        piw_view_words *words;
    } const lists[] = {{"platform", &view->platforms},
                       {"os_name", &view->os_names},
                       {"machine", &view->machines},
                       {"libraries", &view->libraries}};
    piw_err found_err = {0};
    for (size_t i = 0; i < PIW_COUNT(lists); i++)
        if (read_any(lists[i].words, value(view, lists[i].key, setting, arg), &found_err) != 0)
            return refuse(view, lists[i].key, found_err.text, err);
    view->abi = piw_strdup(value(view, "abi", setting, arg));
    const char *version = value(view, "os_version", setting, arg);
    view->os_version = piw_strdup(strcmp(version, "*") == 0 ? "" : version);
    if (view->abi[0] == '\0')
        return refuse(view, "abi", "is missing: the ABI of its slaves, such as cp311", err);
    if (!piw_abi_typed(piw_text_of(view->abi)))
        return refuse(view, "abi", "is no ABI tag of an interpreter, such as cp311", err);
    view->skip_pypi_wheels = atoi(value(view, "skip_pypi_wheels", setting, arg)) != 0;
    view->stable_only = atoi(value(view, "stable_only", setting, arg)) != 0;
    view->newest = strtoll(value(view, "newest", setting, arg), NULL, 10);
    view->popular = strtoll(value(view, "popular", setting, arg), NULL, 10);
    /* The common index has pure wheels, as it ever had. */
    const char *pure = value(view, "pure_from_pypi", setting, arg);
    view->pure_from_pypi = pure[0] != '\0' ? atoi(pure) != 0 : view->common;
    int rc = check_platforms(view, err);
    return rc != 0 ? rc : check_version(view, err);
}

static int set_common(piw_views *views, const char *name, piw_err *err)
{
    for (size_t i = 0; i < views->count; i++)
        if (name == NULL || name[0] == '\0' || strcmp(views->at[i].name, name) == 0) {
            views->at[i].common = true;
            return 0;
        }
    return name == NULL || name[0] == '\0'
               ? 0
               : piw_err_set(err, PIW_ECONFIG, "[site]: common: there is no [view:%.100s]", name);
}

static int read_names(piw_views *views, const char *names, piw_err *err)
{
    piw_view_words words = {0};
    int rc = read_words(&words, names, err);
    if (rc == 0 && words.count > PIW_VIEWS_MAX)
        rc = piw_err_set(err, PIW_ECONFIG, "there are more than %d views", PIW_VIEWS_MAX);
    views->at = piw_zalloc((words.count + 1) * sizeof(*views->at));
    for (size_t i = 0; i < words.count; i++) {
        const char *fault = piw_view_name_fault(piw_text_of(words.at[i]));
        if (rc == 0 && fault != NULL)
            rc = piw_err_set(err, PIW_ECONFIG, "[view:%.100s]: %s", words.at[i], fault);
        views->at[views->count++].name = words.at[i];
    }
    free((void *)words.at);
    return rc;
}

int piw_views_read(piw_views *views, piw_view_setting_fn *setting, void *arg, piw_err *err)
{
    *views = (piw_views){0};
    const char *names = setting(arg, "views");
    int rc = read_names(views, names != NULL ? names : "", err);
    if (rc == 0)
        rc = set_common(views, setting(arg, "site.common"), err);
    for (size_t i = 0; i < views->count && rc == 0; i++)
        rc = read_view(&views->at[i], setting, arg, err);
    if (rc != 0)
        piw_views_fini(views);
    return rc;
}

static const char *task_setting(void *arg, const char *name)
{
    return piw_setting(arg, name);
}

int piw_views_of_task(piw_views *views, piw_task *task, piw_err *err)
{
    return piw_views_read(views, task_setting, task, err);
}

static void free_words(piw_view_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free((char *)words->at[i]);
    free((void *)words->at);
}

void piw_views_fini(piw_views *views)
{
    for (size_t i = 0; i < views->count; i++) {
        piw_farm_view *view = &views->at[i];
        free((char *)view->name);
        free((char *)view->abi);
        free((char *)view->os_version);
        free_words(&view->platforms);
        free_words(&view->os_names);
        free_words(&view->machines);
        free_words(&view->libraries);
    }
    free(views->at);
    *views = (piw_views){0};
}

/* --- which is which ------------------------------------------------------------------------------------------------- */

static bool has_word(const piw_view_words *words, const char *s, size_t len)
{
    for (size_t i = 0; i < words->count; i++)
        if (strlen(words->at[i]) == len && strncasecmp(words->at[i], s, len) == 0)
            return true;
    return false;
}

static bool fits_any(const piw_view_words *words, piw_text said)
{
    return words->count == 0 || (said.s != NULL && has_word(words, said.s, said.len));
}

/* Systems call themselves `Debian GNU/Linux`: the first word counts. */
static bool os_fits(const piw_view_words *words, piw_text said)
{
    const char *space = said.len > 0 ? memchr(said.s, ' ', said.len) : NULL;
    return fits_any(words, (piw_text){said.s, space != NULL ? (uint32_t)(space - said.s) : said.len});
}

/* The numbers of the version that is said, as in `12 (bookworm)`, begin with those of `wanted`. */
static bool version_fits(const char *wanted, piw_text said)
{
    size_t len = strlen(wanted);
    if (len == 0)
        return true;
    return said.len >= len && memcmp(said.s, wanted, len) == 0 &&
           (said.len == len || said.s[len] < '0' || said.s[len] > '9');
}

/* A machine is what stands in the platform's tag after linux_, or the revision code of a board. */
static bool machine_fits(const piw_farm_view *view, const piw_view_machine *machine)
{
    if (view->machines.count == 0)
        return true;
    static const char prefix[] = "linux_";
    size_t len = sizeof(prefix) - 1;
    bool linux_ = machine->platform.len > len && memcmp(machine->platform.s, prefix, len) == 0;
    return (linux_ && has_word(&view->machines, machine->platform.s + len, machine->platform.len - len)) ||
           (machine->board.len > 0 && has_word(&view->machines, machine->board.s, machine->board.len));
}

const piw_farm_view *piw_views_fit(const piw_views *views, const piw_view_machine *machine)
{
    for (size_t i = 0; i < views->count; i++) {
        const piw_farm_view *view = &views->at[i];
        if (piw_text_is(machine->abi, view->abi) && machine->platform.len > 0 &&
            fits_any(&view->platforms, machine->platform) && os_fits(&view->os_names, machine->os_name) &&
            version_fits(view->os_version, machine->os_version) && machine_fits(view, machine))
            return view;
    }
    return NULL;
}

const piw_farm_view *piw_views_find(const piw_views *views, piw_text name)
{
    for (size_t i = 0; i < views->count; i++)
        if (piw_text_is(name, views->at[i].name))
            return &views->at[i];
    return NULL;
}

bool piw_view_takes_platform(const piw_farm_view *view, piw_text platforms)
{
    for (const char *s = platforms.s, *end = s + platforms.len; s < end;) {
        const char *dot = memchr(s, '.', (size_t)(end - s));
        size_t len = (size_t)((dot != NULL ? dot : end) - s);
        if ((len == 3 && memcmp(s, "any", 3) == 0) || has_word(&view->platforms, s, len))
            return true;
        s += len + 1;
    }
    return false;
}

const char *piw_view_queue(const piw_farm_view *view)
{
    return view->common ? view->abi : view->name;
}

piw_text piw_views_store(const piw_views *views, piw_text queue)
{
    const piw_farm_view *view = piw_views_of_queue(views, queue);
    return view != NULL && !view->common ? piw_text_of(view->name) : (piw_text){0};
}

static const piw_farm_view *common_of(const piw_views *views)
{
    for (size_t i = 0; i < views->count; i++)
        if (views->at[i].common)
            return &views->at[i];
    return NULL;
}

piw_text piw_views_owner(const piw_views *views, piw_text queue, const built_file *files, uint32_t count)
{
    const piw_farm_view *own = piw_views_of_queue(views, queue), *common = common_of(views);
    if (own == NULL || own->common || common == NULL || count == 0)
        return queue;
    for (uint32_t i = 0; i < count; i++) {
        const file_state *file = &files[i].state;
        if (!piw_text_is(file->platform_tag, "any") || !piw_text_is(file->abi_tag, "none") ||
            !piw_abi_takes_pure(piw_text_of(common->abi), file->py_version_tag) ||
            !piw_abi_takes_pure(piw_text_of(own->abi), file->py_version_tag))
            return queue;
    }
    return piw_text_of(piw_view_queue(common));
}

const piw_farm_view *piw_views_of_queue(const piw_views *views, piw_text queue)
{
    for (size_t i = 0; i < views->count; i++)
        if (piw_text_is(queue, piw_view_queue(&views->at[i])))
            return &views->at[i];
    return NULL;
}
