/* settings.c — the configuration as tasks see it: one table of names and texts, checked and made at the start. */
#include "settings.h"

#include "options.h"
#include "runtime/runtime.h"
#include "shared/dsn.h"
#include "shared/text.h"
#include "shared/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

static void add(settings *made, char *name, char *text)
{
    made->at = piw_realloc(made->at, sizeof(*made->at) * (made->count + 1));
    made->at[made->count++] = (struct setting){name, text};
}

/* Numbers in the form that piw_setting_number reads, whatever the operator wrote; paths without a tilde. */
static char *canonical(const piw_opt *opt, const char *text)
{
    int64_t number;
    bool counted = opt->kind == PIW_OPT_SWITCH || opt->kind == PIW_OPT_DURATION || opt->kind == PIW_OPT_SIZE;
    if (counted && piw_opt_number(opt, text, &number, NULL) == 0)
        return piw_sprintf("%lld", (long long)number);
    char *expanded;
    if (opt->kind == PIW_OPT_PATH && piw_expand_home(text, &expanded, NULL) == 0)
        return expanded;
    return piw_strdup(text);
}

static int check_dsn(settings *made, const piw_config *config, piw_err *err)
{
    const char *dsn = piw_config_text(config, "dsn");
    if (!piw_dsn_is_uri(dsn)) {
        /* Not quoted in the message: it may hold a password. */
        return piw_err_set(err, PIW_ECONFIG, "dsn (%s) must begin with postgres:// or postgresql://",
                           piw_config_origin(config, "dsn"));
    }
    add(made, piw_strdup("dsn"), piw_dsn_normal(dsn));
    return 0;
}

/* A socket's address as far as it can be judged without binding it. */
static const char *address_fault(const char *address)
{
    if (strncmp(address, "ipc://", 6) == 0) {
        size_t len = strlen(address + 6);
        if (len == 0)
            return "names no file";
        return len < sizeof(((struct sockaddr_un *)0)->sun_path) ? NULL : "is longer than a socket's path may be";
    }
    if (strncmp(address, "tcp://", 6) == 0) {
        const char *port = strrchr(address + 6, ':');
        if (port == NULL || port == address + 6)
            return "must be tcp://HOST:PORT";
        return strcmp(port + 1, "*") == 0 || piw_is_port(port + 1) ? NULL
                                                                   : "must be tcp://HOST:PORT, the port at most 65535";
    }
    return "must begin with ipc:// or tcp://";
}

/* Inner services: a name of its own each. */
static int check_services(const piw_config *config, piw_err *err)
{
    char name[64], other[64];
    for (size_t i = 0; i < master_services_count; i++) {
        snprintf(name, sizeof(name), "%s-queue", master_services[i]);
        const char *address = piw_config_text(config, name);
        if (strncmp(address, "inproc://", 9) != 0 && strncmp(address, "ipc://", 6) != 0)
            return piw_err_set(err, PIW_ECONFIG,
                               "%s (%s): '%.150s' must begin with inproc:// or ipc://: it names a service inside the "
                               "master",
                               name, piw_config_origin(config, name), address);
        if (strstr(address, "://")[3] == '\0')
            return piw_err_set(err, PIW_ECONFIG, "%s (%s): '%.150s' names no service", name,
                               piw_config_origin(config, name), address);
        for (size_t k = 0; k < i; k++) {
            snprintf(other, sizeof(other), "%s-queue", master_services[k]);
            if (strcmp(piw_config_text(config, other), address) == 0)
                return piw_err_set(err, PIW_ECONFIG, "%s (%s) and %s name the same service '%.150s'", name,
                                   piw_config_origin(config, name), other, address);
        }
    }
    return 0;
}

static int check_queues(const piw_config *config, piw_err *err)
{
    char name[64], other[64];
    for (size_t i = 0; i < master_queues_count; i++) {
        snprintf(name, sizeof(name), "%s-queue", master_queues[i]);
        const char *address = piw_config_text(config, name), *fault = address_fault(address);
        if (fault != NULL) {
            return piw_err_set(err, PIW_ECONFIG, "%s (%s): '%.150s' %s", name, piw_config_origin(config, name), address,
                               fault);
        }
        bool shareable = strncmp(address, "tcp://", 6) == 0 && strcmp(strrchr(address, ':'), ":*") == 0;
        for (size_t k = 0; k < i && !shareable; k++) {
            snprintf(other, sizeof(other), "%s-queue", master_queues[k]);
            if (strcmp(piw_config_text(config, other), address) == 0) {
                return piw_err_set(err, PIW_ECONFIG, "%s (%s) and %s have the same address '%.150s'", name,
                                   piw_config_origin(config, name), other, address);
            }
        }
    }
    return check_services(config, err);
}

/* What can't be an address of PyPI's would be asked for ever. */
static int check_pypi(const piw_config *config, piw_err *err)
{
    static const char *const names[] = {"pypi-xmlrpc", "pypi-simple", "pypi-json"};
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        const char *url = piw_config_text(config, names[i]), *host = strstr(url, "://");
        bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
        if (!http || host[3] == '\0' || host[3] == '/' || strpbrk(url, " \t") != NULL)
            return piw_err_set(err, PIW_ECONFIG, "%s (%s): '%.150s' must be http://HOST/PATH or https://HOST/PATH",
                               names[i], piw_config_origin(config, names[i]), url);
    }
    return 0;
}

static const piw_opt *find(const piw_opt *options, const char *name)
{
    while (options->name != NULL && strcmp(options->name, name) != 0)
        options++;
    return options->name != NULL ? options : NULL;
}

static int check_section(const piw_config *config, const char *section, const piw_opt *options, piw_err *err)
{
    const char *const *keys, *origin;
    size_t count = piw_config_keys(config, section, &keys);
    for (size_t i = 0; i < count; i++) {
        const char *text = piw_config_raw(config, section, keys[i], &origin);
        const piw_opt *opt = find(options, keys[i]);
        if (opt == NULL)
            return piw_err_set(err, PIW_ECONFIG, "%s: unknown key '%.100s' in [%s]", origin, keys[i], section);
        piw_err found_err = {0};
        if (piw_opt_check(opt, text, &found_err) != 0)
            return piw_err_set(err, PIW_ECONFIG, "%s: %s: %s", origin, keys[i], found_err.text);
    }
    return 0;
}

static int add_section(settings *made, const piw_config *config, const char *section, const piw_opt *options,
                       piw_err *err)
{
    int rc = check_section(config, section, options, err);
    for (const piw_opt *opt = options; rc == 0 && opt->name != NULL; opt++) {
        const char *text = piw_config_raw(config, section, opt->name, NULL);
        text = text != NULL ? text : opt->fallback;
        if (text != NULL)
            add(made, piw_sprintf("%s.%s", section, opt->name), canonical(opt, text));
    }
    return rc;
}

/* A list of networks may be written [a, b]. */
static int check_allow(char *text, const piw_config *config, const char *key, piw_err *err)
{
    const char *origin = NULL;
    for (char *s = strpbrk(text, "[]\"'"); s != NULL; s = strpbrk(s, "[]\"'"))
        *s = ' ';
    int rc = piw_runtime_check_allow(text, err);
    if (rc != 0) {
        piw_config_raw(config, "auth", key, &origin);
        piw_err_prefix(err, "%s: %s", origin, key);
    }
    return rc;
}

/* An encrypted address by itself: TCP, and nobody else's. */
static int check_curve_address(const piw_config *config, const char *name, const char *address, piw_err *err)
{
    const char *fault = strncmp(address, "tcp://", 6) != 0 ? "must be tcp://HOST:PORT" : address_fault(address);
    if (fault != NULL)
        return piw_err_set(err, PIW_ECONFIG, "%s (%s): '%.150s' %s", name, piw_config_origin(config, name), address,
                           fault);
    for (const piw_opt *opt = master_program.options; opt->name != NULL; opt++) {
        const char *other =
            opt->kind == PIW_OPT_TEXT && strcmp(opt->name, name) != 0 && strstr(opt->name, "-queue") != NULL
                ? piw_config_text(config, opt->name)
                : NULL;
        if (other != NULL && strcmp(other, address) == 0 && strcmp(strrchr(address, ':'), ":*") != 0) {
            return piw_err_set(err, PIW_ECONFIG, "%s (%s) and %s have the same address '%.150s'", name,
                               piw_config_origin(config, name), opt->name, address);
        }
    }
    return 0;
}

/* What is asked for over one queue comes over the other, by the same key. */
static int check_pair(const piw_config *config, piw_err *err)
{
    static const char *const pair[] = {"slave-queue-curve", "file-queue-curve"};
    for (size_t i = 0; i < 2; i++) {
        if (piw_config_text(config, pair[i]) != NULL && piw_config_text(config, pair[1 - i]) == NULL) {
            return piw_err_set(err, PIW_ECONFIG, "%s (%s) needs %s too: slaves use both", pair[i],
                               piw_config_origin(config, pair[i]), pair[1 - i]);
        }
    }
    return 0;
}

/* Method and encrypted addresses: both, or none. */
static int check_curve(settings *made, const piw_config *config, piw_err *err)
{
    char name[64];
    const char *origin = "default", *used = NULL;
    bool curve = strcmp(settings_get(made, "auth.method"), "curve") == 0;
    int code = 0;
    for (size_t i = 0; i < master_curve_queues_count && code == 0; i++) {
        snprintf(name, sizeof(name), "%s-queue-curve", master_curve_queues[i]);
        const char *address = piw_config_text(config, name);
        used = address != NULL ? address : used;
        if (address != NULL && !curve) {
            return piw_err_set(err, PIW_ECONFIG, "%s (%s): an encrypted address needs method = curve in [auth]", name,
                               piw_config_origin(config, name));
        }
        code = address != NULL ? check_curve_address(config, name, address, err) : 0;
    }
    piw_config_raw(config, "auth", "method", &origin);
    if (code == 0 && curve && used == NULL) {
        return piw_err_set(
            err, PIW_ECONFIG,
            "%s: method: 'curve' needs addresses for who has a key: slave-queue-curve and file-queue-curve, or "
            "status-queue-curve",
            origin);
    }
    return code != 0 ? code : check_pair(config, err);
}

static int check_auth(settings *made, const piw_config *config, piw_err *err)
{
    int rc = check_curve(made, config, err);
    for (size_t i = 0; i < made->count && rc == 0; i++) {
        if (strncmp(made->at[i].name, "auth.allow", 10) == 0)
            rc = check_allow(made->at[i].text, config, made->at[i].name + 5, err);
    }
    return rc;
}

/* The sections of views, and `views`: their names in order. */
static int add_views(settings *made, const piw_config *config, piw_err *err)
{
    enum { PREFIX = 5 };
    const char *const *sections;
    size_t count = piw_config_sections(config, "view:", &sections);
    char *names = piw_strdup("");
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const char *name = sections[i] + PREFIX, *fault = piw_view_name_fault(piw_text_of(name));
        if (fault != NULL)
            rc = piw_err_set(err, PIW_ECONFIG, "[%.100s]: %s", sections[i], fault);
        else
            rc = add_section(made, config, sections[i], master_view_options, err);
        char *more = piw_sprintf("%s%s%s", names, i > 0 ? " " : "", name);
        free(names);
        names = more;
    }
    if (count > 0)
        add(made, piw_strdup("views"), names);
    else
        free(names);
    piw_views views = {0};
    if (rc == 0)
        rc = piw_views_read(&views, settings_get, made, err);
    piw_views_fini(&views);
    return rc;
}

int settings_make(settings *made, const piw_config *config, piw_err *err)
{
    *made = (settings){0};
    int rc = check_dsn(made, config, err);
    if (rc == 0)
        rc = check_queues(config, err);
    if (rc == 0)
        rc = check_pypi(config, err);
    if (rc == 0)
        rc = add_section(made, config, "site", master_site_options, err);
    if (rc == 0)
        rc = add_section(made, config, "auth", master_auth_options, err);
    if (rc == 0)
        rc = check_auth(made, config, err);
    if (rc == 0)
        rc = add_views(made, config, err);
    for (const piw_opt *opt = master_program.options; rc == 0 && opt->name != NULL; opt++) {
        const char *text = opt->kind != PIW_OPT_LIST ? piw_config_text(config, opt->name) : NULL;
        if (text != NULL && strcmp(opt->name, "dsn") != 0)
            add(made, piw_strdup(opt->name), canonical(opt, text));
    }
    if (rc != 0)
        settings_fini(made);
    return rc;
}

void settings_fini(settings *made)
{
    for (size_t i = 0; i < made->count; i++) {
        free(made->at[i].name);
        free(made->at[i].text);
    }
    free(made->at);
    *made = (settings){0};
}

const char *settings_get(void *made, const char *name)
{
    const settings *table = made;
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->at[i].name, name) == 0)
            return table->at[i].text;
    }
    return NULL;
}
