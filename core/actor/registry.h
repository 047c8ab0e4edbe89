/* registry.h — inside the core: who serves which name on the bus, and who wants which event.
 *
 * Any thread; a lock inside. Entries are added when a task is loaded and never removed: a service whose task is
 * disabled keeps its entry. */
#ifndef PIW__SERVICE_H
#define PIW__SERVICE_H

#include "plugin/image.h"

#include <pthread.h>

typedef struct piw__role piw__role;

typedef struct piw__service {
    struct piw__service *next;
    const char *name; /* interned */
    const piw_protocol *protocol;
    piw__role *role; /* who serves it */
} piw__service;

typedef struct piw__subscription {
    struct piw__subscription *next;
    const piw_msg_type *event;
    piw__role *role;
} piw__subscription;

typedef struct piw__registry {
    pthread_mutex_t lock;
    piw__service *services;
    piw__subscription *subscriptions;
} piw__registry;

void piw__registry_init(piw__registry *registry);
void piw__registry_fini(piw__registry *registry);
/* May this image be the task's: are its services free, or its own already? */
int piw__registry_check(piw__registry *registry, const piw__role *role, const piw__image *image, piw_err *err);
/* The same, and then enter them. PIW_EPLUGIN, nothing entered. */
int piw__registry_enter(piw__registry *registry, piw__role *role, const piw__image *image, piw_err *err);
/* Enter one, unless somebody serves it. */
void piw__registry_serve(piw__registry *registry, piw__role *role, const piw_service *service);
/* NULL when nobody serves the name. */
piw__service *piw__registry_find(piw__registry *registry, const char *name);
/* Are all services that the image uses and needs served, with the same types? */
int piw__registry_check_uses(piw__registry *registry, const piw__image *image, piw_err *err);
/* The n-th role that wants the event; NULL after the last. */
piw__role *piw__registry_subscriber(piw__registry *registry, const piw_msg_type *event, unsigned n);

#endif
