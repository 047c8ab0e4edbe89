/* image.h — inside the core: task plugins as files and as images in memory.
 *
 * An image is mapped from a private copy of the file on an inode of its own and never unmapped; a file whose bytes
 * are mapped already uses that image again. Any thread; a lock inside. Images are read-only once made. */
#ifndef PIW__PLUGIN_H
#define PIW__PLUGIN_H

#include "piw/plugin.h"

typedef struct piw__handler_slot {
    const piw_msg_type *type;
    piw_handler_fn *fn;
} piw__handler_slot;

typedef struct piw__image {
    struct piw__image *next;
    const piw_plugin *plugin;           /* NULL: mapped, but refused for its manifest */
    const piw_preparation *preparation; /* NULL: there is none */
    const char *file;                   /* name it was first loaded by */
    int fd;                             /* of the private copy; -1: compiled into the program */
    size_t size;
    void *handle;
    piw__handler_slot *slots; /* handlers by message type: open addressing */
    uint32_t slots_mask;
    const char **continuations; /* interned names, in the manifest's order */
    unsigned continuations_count;
    const piw_msg_type *state; /* or NULL */
    const piw_protocol **own;  /* protocols of what it keeps for itself: states, peer records, work; each once */
    unsigned own_count;
} piw__image;

/* Where plugins may be loaded from. */
typedef struct piw__plugin_dirs {
    const char *const *dirs;
    size_t count;
    bool trust_files;
} piw__plugin_dirs;

/* The private copy of a plugin's file, which isn't mapped yet. */
typedef struct piw__plugin_file {
    int copy; /* -1: there is none */
    void *data;
    size_t size;
} piw__plugin_file;

/* clang-format off */
#define PIW__NO_PLUGIN_FILE {.copy = -1}
/* clang-format on */

/* The two halves of piw__image_load: what may be done for several files at a time, and the rest, which uses the copy up. */
int piw__image_fetch(const piw__plugin_dirs *dirs, const char *file, piw__plugin_file *to, piw_err *err);
int piw__image_of_file(piw__plugin_file *from, const char *file, const piw__image **image, piw_err *err);
void piw__plugin_file_close(piw__plugin_file *file);
/* Find `file` (a name, or a path into one of the folders), check it, map it. PIW_EPLUGIN with one clear sentence. */
int piw__image_load(const piw__plugin_dirs *dirs, const char *file, const piw__image **image, piw_err *err);
/* The same from an open file, which was checked by whoever gave it. */
int piw__image_load_fd(int fd, const char *file, const piw__image **image, piw_err *err);
/* An image of a manifest that is compiled into the program (tests, benches). */
int piw__image_of(const piw_plugin *plugin, const piw__image **image, piw_err *err);
/* How many images are mapped. */
PIW_API unsigned piw__images_count(void);

/* Where the search for a type's handler begins. */
static inline uint32_t piw__image_slot(const piw__image *image, const piw_msg_type *type)
{
    return (uint32_t)((uintptr_t)type / sizeof(piw_msg_type)) & image->slots_mask;
}

/* NULL when there is none. */
static inline piw_handler_fn *piw__image_handler(const piw__image *image, const piw_msg_type *type)
{
    for (uint32_t at = piw__image_slot(image, type); image->slots[at].type != NULL; at = (at + 1) & image->slots_mask)
        if (image->slots[at].type == type)
            return image->slots[at].fn;
    return NULL;
}

/* The interned name of a continuation; NULL when the manifest hasn't got it. */
const char *piw__image_continuation(const piw__image *image, const char *name);
piw_continuation_fn *piw__image_continue(const piw__image *image, const char *interned);
bool piw__image_serves(const piw__image *image, const char *service);
/* The type by which this image knows messages of `type`, which another version of its plugin may have made: `type` itself
 * unless one of the image's own protocols has its name and another shape. NULL: that one has no such message. */
const piw_msg_type *piw__image_type(const piw__image *image, const piw_msg_type *type);
/* Can this image read what `old` keeps and has under way (see carry.h)? PIW_EPLUGIN says what it can't. */
int piw__image_follows(const piw__image *image, const piw__image *old, piw_err *err);

/* A copy of the text that is never freed; equal texts give one pointer. */
const char *piw__intern(const char *text);

#endif
