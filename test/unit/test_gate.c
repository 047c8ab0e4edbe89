/* The gate alone, over all wheels of test/wheels: the folder is what it has to say. (test/system/test_gate.py has the same
 * through a farm.) And how much memory it takes. */
#include "shared/wheel.h"

#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { KINDS_MIN = 150 };

/* Those that the gate itself takes, whatever a slave may not send. */
static bool is_slaves(const char *name)
{
    return strncmp(name, "slave_", 6) == 0;
}

/* How many wheels the folder has; each is judged. */
static int judge_all(const char *folder, bool good)
{
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s isn't there; tests run in the tree's first folder", folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[512];
        piw_wheel wheel;
        piw_err err = {0};
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        int rc = piw_wheel_read(path, entry->d_name, &wheel, &err);
        if (rc == 0)
            piw_wheel_fini(&wheel);
        bool wanted = good || is_slaves(entry->d_name);
        ck_assert_msg(rc == (wanted ? 0 : PIW_EREFUSED), "%s: %s", entry->d_name, rc == 0 ? "it was taken" : err.text);
        ck_assert_msg(rc == 0 || strstr(err.text, "name") != NULL || strstr(err.text, entry->d_name) != NULL,
                      "\"%s\" doesn't name the file", err.text);
        count++;
    }
    closedir(dir);
    return count;
}

START_TEST(each_kind_has_its_verdict)
{
    int taken = judge_all("test/wheels/take", true), refused = judge_all("test/wheels/refuse", false);
    ck_assert_int_ge(taken + refused, KINDS_MIN);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *tests = tcase_create("gate");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, each_kind_has_its_verdict);
    suite_add_tcase(suite, tests);
    return suite;
}
