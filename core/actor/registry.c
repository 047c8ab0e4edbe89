/* registry.c — the register of services and of who wants which event. */
#include "actor/registry.h"

#include "actor/role.h"

#include <stdlib.h>

void piw__registry_init(piw__registry *registry)
{
    *registry = (piw__registry){0};
    pthread_mutex_init(&registry->lock, NULL);
}

void piw__registry_fini(piw__registry *registry)
{
    while (registry->services != NULL) {
        piw__service *service = registry->services;
        registry->services = service->next;
        free(service);
    }
    while (registry->subscriptions != NULL) {
        piw__subscription *subscription = registry->subscriptions;
        registry->subscriptions = subscription->next;
        free(subscription);
    }
    pthread_mutex_destroy(&registry->lock);
}

static piw__service *find(const piw__registry *registry, const char *name)
{
    for (piw__service *service = registry->services; service != NULL; service = service->next)
        if (strcmp(service->name, name) == 0)
            return service;
    return NULL;
}

static int check_free(const piw__registry *registry, const piw__role *role, const piw__image *image, piw_err *err)
{
    const piw_service *list = image->plugin->serves;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        const piw__service *service = find(registry, list[i].name);
        if (service == NULL)
            continue;
        if (service->role != role)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: the service %s is served by task %s already",
                               image->file, list[i].name, service->role->name);
        if (service->protocol != list[i].protocol->interned)
            return piw_err_set(
                err, PIW_EPLUGIN,
                "%s is refused: its service %s has other types than the running task's: restart the master",
                image->file, list[i].name);
    }
    return 0;
}

static void subscribe(piw__registry *registry, piw__role *role, const piw_msg_type *event)
{
    piw__subscription **link = &registry->subscriptions;
    for (; *link != NULL; link = &(*link)->next)
        if ((*link)->event == event && (*link)->role == role)
            return;
    *link = piw_zalloc(sizeof(**link));
    (*link)->event = event;
    (*link)->role = role;
}

int piw__registry_check(piw__registry *registry, const piw__role *role, const piw__image *image, piw_err *err)
{
    pthread_mutex_lock(&registry->lock);
    int rc = check_free(registry, role, image, err);
    pthread_mutex_unlock(&registry->lock);
    return rc;
}

static void serve(piw__registry *registry, piw__role *role, const piw_service *service)
{
    if (find(registry, service->name) != NULL)
        return;
    piw__service *entry = piw_zalloc(sizeof(*entry));
    *entry = (piw__service){registry->services, piw__intern(service->name), service->protocol->interned, role};
    registry->services = entry;
}

void piw__registry_serve(piw__registry *registry, piw__role *role, const piw_service *service)
{
    pthread_mutex_lock(&registry->lock);
    serve(registry, role, service);
    pthread_mutex_unlock(&registry->lock);
}

int piw__registry_enter(piw__registry *registry, piw__role *role, const piw__image *image, piw_err *err)
{
    pthread_mutex_lock(&registry->lock);
    int rc = check_free(registry, role, image, err);
    const piw_service *list = image->plugin->serves;
    for (unsigned i = 0; rc == 0 && list != NULL && list[i].name != NULL; i++)
        serve(registry, role, &list[i]);
    const piw_event *events = image->plugin->subscribes;
    for (unsigned i = 0; rc == 0 && events != NULL && events[i].protocol != NULL; i++)
        subscribe(registry, role, &events[i].protocol->interned->messages[events[i].message]);
    pthread_mutex_unlock(&registry->lock);
    return rc;
}

piw__service *piw__registry_find(piw__registry *registry, const char *name)
{
    pthread_mutex_lock(&registry->lock);
    piw__service *service = find(registry, name);
    pthread_mutex_unlock(&registry->lock);
    return service;
}

/* Is there such a service, and does its task's present plugin serve it? */
static const piw__service *served(piw__registry *registry, const char *name)
{
    const piw__service *service = piw__registry_find(registry, name);
    bool gone = service != NULL && service->role->image != NULL && !piw__image_serves(service->role->image, name);
    return gone ? NULL : service;
}

int piw__registry_check_uses(piw__registry *registry, const piw__image *image, piw_err *err)
{
    const piw_plugin *plugin = image->plugin;
    for (unsigned i = 0; plugin->uses != NULL && plugin->uses[i].name != NULL; i++) {
        const piw__service *service = served(registry, plugin->uses[i].name);
        if (service == NULL)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it uses the service %s, which no task serves",
                               image->file, plugin->uses[i].name);
        if (service->protocol != plugin->uses[i].protocol->interned)
            return piw_err_set(
                err, PIW_EPLUGIN,
                "%s is refused: it was built with other types of the service %s than task %s: build both "
                "anew",
                image->file, service->name, service->role->name);
    }
    for (unsigned i = 0; plugin->needs != NULL && plugin->needs[i] != NULL; i++)
        if (served(registry, plugin->needs[i]) == NULL)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it needs the service %s, which no task serves",
                               image->file, plugin->needs[i]);
    return 0;
}

piw__role *piw__registry_subscriber(piw__registry *registry, const piw_msg_type *event, unsigned n)
{
    piw__role *role = NULL;
    pthread_mutex_lock(&registry->lock);
    for (const piw__subscription *s = registry->subscriptions; s != NULL && role == NULL; s = s->next)
        if (s->event == event && n-- == 0)
            role = s->role;
    pthread_mutex_unlock(&registry->lock);
    return role;
}
