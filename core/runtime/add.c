/* add.c — adds a task while the others run: all that can be wrong is found before anybody can see it. */
#include "runtime/inner.h"

#include <stdio.h>

/* The services it needs must be there: all other tasks have been started already. */
static int check_needs(piw_runtime *runtime, const piw__image *image, piw_err *err)
{
    const char *const *needs = image->plugin->needs;
    for (unsigned i = 0; needs != NULL && needs[i] != NULL; i++) {
        const piw__service *service = piw__registry_find(&runtime->hub.registry, needs[i]);
        if (service != NULL && !service->role->enabled)
            return piw_err_set(err, PIW_ECONFIG, "it needs the service %s, but task %s, which serves it, is disabled",
                               needs[i], service->role->name);
    }
    return 0;
}

/* The plugin of a disabled task isn't loaded before it is enabled. */
static int look(piw__role *role, const piw__image **image, piw_err *err)
{
    *image = NULL;
    if (!role->enabled) {
        role->instances = role->instances > 0 ? role->instances : 1;
        return 0;
    }
    int rc = piw__role_look(role, role->plugin, role->options, image, err);
    if (rc == 0)
        rc = piw__role_settle(role, *image, err);
    if (rc == 0)
        rc = piw__registry_check(&role->runtime->hub.registry, role, *image, err);
    if (rc == 0)
        rc = piw__registry_check_uses(&role->runtime->hub.registry, *image, err);
    if (rc == 0)
        rc = check_needs(role->runtime, *image, err);
    return rc;
}

int piw__admin_check_new(piw_runtime *runtime, const piw_task_config *config, piw_err *err)
{
    const piw__image *image;
    piw__role *role = piw__role_new(runtime, config, NULL, err);
    if (role == NULL)
        return err->code;
    int rc = look(role, &image, err);
    piw__role_free(role);
    return rc;
}

/* From here on it is one of the tasks, also if it does not start. */
static void publish(piw_runtime *runtime, piw__role *role)
{
    runtime->order[runtime->roles_count] = role; /* after all that it may need; stopped before them */
    runtime->roles[runtime->roles_count] = role;
    runtime->roles_count++;
}

static int start(piw__role *role, piw_err *err)
{
    int rc = piw__role_run_shells(role, err);
    if (rc != 0)
        return rc;
    rc = role->enabled ? piw__admin_operate(role, PIW__OP_START, role->image, NULL, err) : 0;
    if (rc == 0 && role->enabled)
        return 0;
    pthread_mutex_lock(&role->runtime->look);
    role->enabled = role->enabled_config = false;
    pthread_mutex_unlock(&role->runtime->look);
    piw_err second_err = {0};
    if (piw__admin_operate(role, PIW__OP_DISABLE, NULL, NULL, &second_err) != 0)
        piw_error("task %s could not be disabled again: %s", role->name, second_err.text);
    return rc;
}

int piw__admin_add(piw_runtime *runtime, const piw_task_config *config, piw_err *err)
{
    const piw__image *image;
    piw__role *role = piw__role_new(runtime, config, NULL, err);
    if (role == NULL)
        return err->code;
    int rc = look(role, &image, err);
    if (rc == 0)
        rc = piw__role_make_shells(role, err);
    if (rc == 0 && image != NULL)
        rc = piw__registry_enter(&runtime->hub.registry, role, image, err);
    if (rc != 0) {
        piw__role_free(role);
        return rc;
    }
    piw__role_set_image(role, image);
    publish(runtime, role);
    return start(role, err);
}
