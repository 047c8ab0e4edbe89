/* option_value.c — texts of options checked and turned into numbers and paths. */
#include "config/options.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

static const unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const unit size_units[] = {{"K", INT64_C(1) << 10}, {"M", INT64_C(1) << 20}, {"G", INT64_C(1) << 30}};

/* Digits at *s, which moves past them. False when there are none or too many. */
static bool take_number(const char **s, int64_t *number)
{
    if (!isdigit((unsigned char)**s))
        return false;
    *number = 0;
    for (; isdigit((unsigned char)**s); (*s)++) {
        if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, **s - '0', number))
            return false;
    }
    return true;
}

static bool parse_int(const char *s, int64_t *number)
{
    bool minus = *s == '-';
    s += minus || *s == '+';
    if (!take_number(&s, number) || *s != '\0')
        return false;
    *number = minus ? -*number : *number;
    return true;
}

/* 1h30m: each unit at most once, the greater first. */
static bool parse_duration(const char *s, int64_t *number)
{
    size_t next = 0;
    int64_t part;
    *number = 0;
    if (!take_number(&s, &part))
        return false;
    if (*s == '\0')
        return !__builtin_mul_overflow(part, 1000, number);
    for (;;) {
        size_t len = 0;
        while (isalpha((unsigned char)s[len]))
            len++;
        while (next < PIW_COUNT(duration_units) &&
               (strlen(duration_units[next].name) != len || strncmp(duration_units[next].name, s, len) != 0)) {
            next++;
        }
        if (next == PIW_COUNT(duration_units) || __builtin_mul_overflow(part, duration_units[next].factor, &part) ||
            __builtin_add_overflow(*number, part, number)) {
            return false;
        }
        next++;
        s += len;
        s += strspn(s, " ");
        if (*s == '\0')
            return true;
        if (!take_number(&s, &part))
            return false;
    }
}

static bool parse_size(const char *s, int64_t *number)
{
    if (!take_number(&s, number))
        return false;
    if (*s == '\0')
        return true;
    for (size_t i = 0; i < PIW_COUNT(size_units); i++) {
        if (toupper((unsigned char)s[0]) == size_units[i].name[0] && s[1] == '\0')
            return !__builtin_mul_overflow(*number, size_units[i].factor, number);
    }
    return false;
}

static bool parse_switch(const char *s, int64_t *number)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < PIW_COUNT(words); i++) {
        if (strcasecmp(s, words[i]) == 0) {
            *number = i % 2;
            return true;
        }
    }
    return false;
}

/* A bound as the operator would write it. */
static void print_number(piw_opt_kind kind, int64_t number, char *to, size_t size)
{
    const unit *units = kind == PIW_OPT_DURATION ? duration_units : size_units;
    size_t count = kind == PIW_OPT_DURATION ? PIW_COUNT(duration_units) : PIW_COUNT(size_units);
    const unit *best = NULL;
    for (size_t i = 0; kind != PIW_OPT_INT && i < count && number != 0; i++) {
        if (number % units[i].factor == 0 && (best == NULL || units[i].factor > best->factor))
            best = &units[i];
    }
    snprintf(to, size, "%lld%s", (long long)(best != NULL ? number / best->factor : number),
             best != NULL ? best->name : "");
}

int piw_opt_number(const piw_opt *option, const char *value, int64_t *number, piw_err *err)
{
    bool good;
    const char *want;
    switch (option->kind) {
    case PIW_OPT_INT:
        good = parse_int(value, number);
        want = "a whole number";
        break;
    case PIW_OPT_DURATION:
        good = parse_duration(value, number);
        want = "a duration such as 3h, 90m, 1h30m, 45s or 250ms";
        break;
    case PIW_OPT_SIZE:
        good = parse_size(value, number);
        want = "a number of bytes such as 4096, 64K, 10M or 2G";
        break;
    case PIW_OPT_SWITCH:
        good = parse_switch(value, number);
        want = "yes or no (true, false, on, off, 1, 0)";
        break;
    default:
        return PIW_EINVAL; /* these kinds have no number */
    }
    if (!good)
        return piw_err_set(err, PIW_EINVAL, "'%.100s' is not %s", value, want);
    bool bounded = option->min != 0 || option->max != 0, open_end = option->max < option->min;
    if (bounded && (*number < option->min || (*number > option->max && !open_end))) {
        char min[32], max[32];
        print_number(option->kind, option->min, min, sizeof(min));
        print_number(option->kind, option->max, max, sizeof(max));
        return open_end ? piw_err_set(err, PIW_EINVAL, "%.100s is less than %s", value, min)
                        : piw_err_set(err, PIW_EINVAL, "%.100s is not between %s and %s", value, min, max);
    }
    return 0;
}

static int check_choice(const piw_opt *option, const char *value, piw_err *err)
{
    const char *s = option->choices;
    for (size_t len; *s != '\0'; s += len + (s[len] == '|')) {
        len = strcspn(s, "|");
        if (strlen(value) == len && memcmp(value, s, len) == 0)
            return 0;
    }
    return piw_err_set(err, PIW_EINVAL, "'%.100s' is not one of %s", value, option->choices);
}

int piw_opt_check(const piw_opt *option, const char *value, piw_err *err)
{
    int64_t number;
    switch (option->kind) {
    case PIW_OPT_TEXT:
    case PIW_OPT_LIST:
        return 0;
    case PIW_OPT_PATH:
        return *value != '\0' ? 0 : piw_err_set(err, PIW_EINVAL, "the path is empty");
    case PIW_OPT_CHOICE:
        return check_choice(option, value, err);
    default:
        return piw_opt_number(option, value, &number, err);
    }
}

static char *home_of(const char *user)
{
    const char *home = user[0] == '\0' ? getenv("HOME") : NULL;
    if (home != NULL && *home != '\0')
        return piw_strdup(home);
    struct passwd entry, *found = NULL;
    char *room = piw_alloc(16384);
    int code = user[0] == '\0' ? getpwuid_r(getuid(), &entry, room, 16384, &found)
                               : getpwnam_r(user, &entry, room, 16384, &found);
    char *result = code == 0 && found != NULL ? piw_strdup(found->pw_dir) : NULL;
    free(room);
    return result;
}

int piw_expand_home(const char *path, char **expanded, piw_err *err)
{
    if (path[0] != '~') {
        *expanded = piw_strdup(path);
        return 0;
    }
    size_t len = strcspn(path, "/");
    char *user = piw_strndup(path + 1, len - 1), *home = home_of(user);
    int rc = 0;
    if (home == NULL) {
        rc = piw_err_set(err, PIW_ENOENT, "'%.100s': there is no home directory for %s%s", path,
                         *user != '\0' ? "user " : "this user", user);
    } else {
        *expanded = piw_sprintf("%s%s", home, path + len);
    }
    free(user);
    free(home);
    return rc;
}
