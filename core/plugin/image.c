/* image.c — the loader: from a file name to a checked image in memory. */
#include "plugin/image.h"

#include "base/fd.h"
#include "plugin/elf_check.h"
#include "plugin/manifest.h"
#include "type/carry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* No task is near this; it bounds what is read before anything is known of the file. */
enum { FILE_MAX = 256 << 20 };

struct name {
    struct name *next;
    char text[];
};

static struct {
    pthread_mutex_t lock;
    piw__image *images;
    struct name *names;
} loader = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- Names -------------------------------------------------------------------------------------------------- */

static const char *intern_locked(const char *text)
{
    for (const struct name *name = loader.names; name != NULL; name = name->next)
        if (strcmp(name->text, text) == 0)
            return name->text;
    size_t len = strlen(text) + 1;
    struct name *name = piw_alloc(sizeof(*name) + len);
    memcpy(name->text, text, len);
    name->next = loader.names;
    loader.names = name;
    return name->text;
}

const char *piw__intern(const char *text)
{
    pthread_mutex_lock(&loader.lock);
    const char *interned = intern_locked(text);
    pthread_mutex_unlock(&loader.lock);
    return interned;
}

/* --- Finding the file ------------------------------------------------------------------------------------------ */

/* Could anyone but root and ourselves replace what this path names? */
static int check_writers(const char *path, const char *file, piw_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return piw_err_errno(err, "plugin %s can't be looked at: %s", file, path);
    /* In a sticky folder (/tmp) others can add names, but not change ours. */
    bool sticky = S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) != 0;
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return piw_err_set(err, PIW_EPLUGIN, "plugin %s is refused: %s belongs to another user (%u)", file, path,
                           (unsigned)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky)
        return piw_err_set(err, PIW_EPLUGIN, "plugin %s is refused: others can write to %s (chmod go-w would help)",
                           file, path);
    return 0;
}

static int check_path(const char *path, const char *file, piw_err *err)
{
    char part[PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (;;) {
        int rc = check_writers(part, file, err);
        if (rc != 0)
            return rc;
        char *slash = strrchr(part, '/');
        if (slash == NULL || part[1] == 0)
            return 0;
        slash[slash == part ? 1 : 0] = 0;
    }
}

/* The real path of a plugin in one of the folders. */
static int find(const piw__plugin_dirs *dirs, const char *file, char *path, piw_err *err)
{
    bool is_path = file[0] == '/'; /* other names are meant inside of the folders */
    for (size_t i = 0; i < dirs->count; i++) {
        char dir[PATH_MAX], candidate[PATH_MAX];
        if (realpath(dirs->dirs[i], dir) == NULL)
            continue;
        int n = snprintf(candidate, sizeof(candidate), "%s%s%s", is_path ? "" : dir, is_path ? "" : "/", file);
        if (n < 0 || (size_t)n >= sizeof(candidate) || realpath(candidate, path) == NULL)
            continue;
        size_t len = strlen(dir);
        if (strncmp(path, dir, len) == 0 && path[len] == '/')
            return 0;
        if (!is_path)
            return piw_err_set(err, PIW_EPLUGIN, "plugin %s is refused: it leads to %s, outside the plugin folder %s",
                               file, path, dir);
    }
    if (is_path && access(file, F_OK) == 0)
        return piw_err_set(err, PIW_EPLUGIN, "plugin %s is refused: it lies outside the plugin folders", file);
    return piw_err_set(err, PIW_EPLUGIN, "plugin %s is not there: looked in %zu plugin folder%s, first %s", file,
                       dirs->count, dirs->count == 1 ? "" : "s",
                       dirs->count > 0 ? dirs->dirs[0] : "(none is configured)");
}

/* --- Its bytes ---------------------------------------------------------------------------------------------------- */

/* How many bytes a file has that may be a plugin. */
static int size_of(int fd, const char *file, size_t *size, piw_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return piw_err_set(err, PIW_EPLUGIN, "plugin %s is refused: it is not a regular file", file);
    if (st.st_size > FILE_MAX)
        return piw_err_set(err, PIW_EPLUGIN, "plugin %s is refused: it is larger than %d bytes", file, FILE_MAX);
    if (st.st_size == 0)
        return piw_err_set(err, PIW_EPLUGIN, "%s is not a task plugin: it is no ELF file", file);
    *size = (size_t)st.st_size;
    return 0;
}

/* With holes, which read as zeros, where nothing is that loading needs. */
static int copy_parts(int fd, int copy, size_t size)
{
    piw__elf_parts parts;
    piw__elf_find_parts(fd, size, &parts);
    int rc = piw__fd_copy(fd, 0, copy, parts.loaded);
    if (rc == 0 && parts.loaded < size)
        rc = ftruncate(copy, (off_t)size);
    if (rc == 0 && lseek(copy, (off_t)parts.sections, SEEK_SET) < 0)
        rc = -1;
    return rc == 0 ? piw__fd_copy(fd, parts.sections, copy, parts.sections_size) : rc;
}

/* A private copy that nobody can change, and its bytes in memory. */
static int copy_file(int fd, const char *file, piw__plugin_file *to, piw_err *err)
{
    const char *base = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    *to = (piw__plugin_file)PIW__NO_PLUGIN_FILE;
    int rc = size_of(fd, file, &to->size, err);
    if (rc != 0)
        return rc;
    to->copy = memfd_create(base, MFD_CLOEXEC);
    if (to->copy < 0)
        return piw_err_errno(err, "can't make a memory file for the copy of plugin %s", file);
    to->data = MAP_FAILED;
    if (copy_parts(fd, to->copy, to->size) == 0)
        to->data = mmap(NULL, to->size, PROT_READ, MAP_PRIVATE, to->copy, 0);
    if (to->data != MAP_FAILED)
        return 0;
    rc = piw_err_errno(err, "plugin %s can't be copied", file);
    close(to->copy);
    *to = (piw__plugin_file)PIW__NO_PLUGIN_FILE;
    return rc;
}

void piw__plugin_file_close(piw__plugin_file *file)
{
    if (file->data != NULL)
        munmap(file->data, file->size);
    if (file->copy >= 0)
        close(file->copy);
    *file = (piw__plugin_file)PIW__NO_PLUGIN_FILE;
}

static bool same_bytes(const piw__image *image, const void *data, size_t size)
{
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, image->fd, 0);
    if (mapped == MAP_FAILED)
        return false;
    bool same = memcmp(mapped, data, size) == 0;
    munmap(mapped, size);
    return same;
}

/* Few files have one size, so their bytes are compared; a hash would have to read all bytes of every file. */
static piw__image *find_image(const void *data, size_t size)
{
    for (piw__image *image = loader.images; image != NULL; image = image->next)
        if (image->fd >= 0 && image->size == size && same_bytes(image, data, size))
            return image;
    return NULL;
}

/* --- The image --------------------------------------------------------------------------------------------------- */

static void put_slot(piw__image *image, const piw_msg_type *type, piw_handler_fn *fn)
{
    uint32_t at = piw__image_slot(image, type);
    while (image->slots[at].type != NULL && image->slots[at].type != type)
        at = (at + 1) & image->slots_mask;
    if (image->slots[at].type == NULL)
        image->slots[at] = (piw__handler_slot){type, fn};
}

static void fill_slots(piw__image *image)
{
    const piw_handler *list = image->plugin->handlers;
    uint32_t count = 0;
    for (uint32_t i = 0; list != NULL && list[i].protocol != NULL; i++)
        count += list[i].message == PIW_EVERY_MESSAGE ? list[i].protocol->interned->messages_count : 1u;
    uint32_t size = 8;
    while (size < count * 2)
        size *= 2;
    image->slots = piw_zalloc(size * sizeof(*image->slots));
    image->slots_mask = size - 1;
    /* A message's own handler comes first, and what is there already stays. */
    for (uint32_t i = 0; list != NULL && list[i].protocol != NULL; i++)
        if (list[i].message != PIW_EVERY_MESSAGE)
            put_slot(image, &list[i].protocol->interned->messages[list[i].message], list[i].fn);
    for (uint32_t i = 0; list != NULL && list[i].protocol != NULL; i++) {
        const piw_protocol *protocol = list[i].protocol->interned;
        for (unsigned m = 0; list[i].message == PIW_EVERY_MESSAGE && m < protocol->messages_count; m++)
            if (piw__comes_in(&protocol->messages[m]))
                put_slot(image, &protocol->messages[m], list[i].fn);
    }
}

static void own_add(piw__image *image, const piw_protocol_def *def)
{
    for (unsigned i = 0; i < image->own_count; i++)
        if (image->own[i] == def->interned)
            return;
    image->own = piw_realloc(image->own, (image->own_count + 1) * sizeof(*image->own));
    image->own[image->own_count++] = def->interned;
}

static void fill_own(piw__image *image)
{
    const piw_plugin *plugin = image->plugin;
    if (plugin->state_protocol != NULL)
        own_add(image, plugin->state_protocol);
    for (unsigned i = 0; plugin->extra != NULL && plugin->extra[i] != NULL; i++)
        own_add(image, plugin->extra[i]);
}

static piw__image *image_new(const char *file)
{
    piw__image *image = piw_zalloc(sizeof(*image));
    image->file = intern_locked(file);
    image->fd = -1;
    image->next = loader.images;
    loader.images = image;
    return image;
}

static int find_preparation(piw__image *image, piw_err *err)
{
    image->preparation = image->handle != NULL ? dlsym(image->handle, "piw_plugin_preparation") : NULL;
    if (image->preparation == NULL || image->preparation->size == sizeof(piw_preparation))
        return 0;
    return piw_err_set(err, PIW_EPLUGIN,
                       "%s is refused: its preparation has %u bytes, this runtime's %zu: build it anew", image->file,
                       image->preparation->size, sizeof(piw_preparation));
}

/* Check the manifest, and if it is sound make the image ready for use. */
static int image_finish(piw__image *image, const piw_plugin *plugin, piw_err *err)
{
    if (plugin == NULL)
        return piw_err_set(err, PIW_EPLUGIN, "%s is not a task plugin: its manifest can't be found", image->file);
    int rc = piw__manifest_check(plugin, image->file, err);
    if (rc == 0)
        rc = find_preparation(image, err);
    if (rc != 0)
        return rc;
    image->plugin = plugin;
    fill_slots(image);
    const piw_continuation *list = plugin->continuations;
    while (list != NULL && list[image->continuations_count].name != NULL)
        image->continuations_count++;
    image->continuations = piw_zalloc((image->continuations_count + 1) * sizeof(*image->continuations));
    for (unsigned i = 0; list != NULL && i < image->continuations_count; i++)
        image->continuations[i] = intern_locked(list[i].name);
    if (plugin->state_protocol != NULL)
        image->state = &plugin->state_protocol->interned->messages[plugin->state_message];
    fill_own(image);
    return 0;
}

/* The copy's descriptor stays open: its path is never used for another image, and its bytes can be compared with those of later
 * files. */
static int map(int copy, const char *file, void **handle, piw_err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), copy);
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*handle != NULL)
        return 0;
    const char *why = dlerror();
    return piw_err_set(err, PIW_EPLUGIN, "%s can't be loaded: %s", file, why != NULL ? why : "unknown reason");
}

/* The copy is taken out where it is kept. */
static int load_locked(piw__plugin_file *from, const char *file, const piw__image **image, piw_err *err)
{
    piw__image *found = find_image(from->data, from->size);
    if (found == NULL) {
        void *handle;
        int rc = piw__elf_check(from->data, from->size, file, err);
        if (rc == 0)
            rc = map(from->copy, file, &handle, err);
        if (rc != 0)
            return rc;
        /* From here on it stays mapped, and its descriptor open, refused or not: code that ran once is never unmapped,
         * and the loader would take a later file under the same descriptor's path for this one. */
        found = image_new(file);
        found->fd = from->copy;
        found->size = from->size;
        found->handle = handle;
        from->copy = -1;
    }
    int rc = found->plugin != NULL ? 0 : image_finish(found, dlsym(found->handle, "piw_plugin_manifest"), err);
    *image = rc == 0 ? found : NULL;
    return rc;
}

int piw__image_fetch(const piw__plugin_dirs *dirs, const char *file, piw__plugin_file *to, piw_err *err)
{
    char path[PATH_MAX];
    *to = (piw__plugin_file)PIW__NO_PLUGIN_FILE;
    int rc = find(dirs, file, path, err);
    if (rc == 0 && !dirs->trust_files)
        rc = check_path(path, file, err);
    if (rc != 0)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return piw_err_errno(err, "plugin %s can't be opened", file);
    rc = copy_file(fd, file, to, err);
    close(fd);
    return rc;
}

int piw__image_of_file(piw__plugin_file *from, const char *file, const piw__image **image, piw_err *err)
{
    pthread_mutex_lock(&loader.lock);
    int rc = load_locked(from, file, image, err);
    pthread_mutex_unlock(&loader.lock);
    piw__plugin_file_close(from);
    return rc;
}

int piw__image_load(const piw__plugin_dirs *dirs, const char *file, const piw__image **image, piw_err *err)
{
    piw__plugin_file copy;
    int rc = piw__image_fetch(dirs, file, &copy, err);
    return rc == 0 ? piw__image_of_file(&copy, file, image, err) : rc;
}

int piw__image_load_fd(int fd, const char *file, const piw__image **image, piw_err *err)
{
    piw__plugin_file copy;
    int rc = copy_file(fd, file, &copy, err);
    return rc == 0 ? piw__image_of_file(&copy, file, image, err) : rc;
}

int piw__image_of(const piw_plugin *plugin, const piw__image **image, piw_err *err)
{
    pthread_mutex_lock(&loader.lock);
    for (*image = loader.images; *image != NULL && (*image)->plugin != plugin;)
        *image = (*image)->next;
    int rc = 0;
    if (*image == NULL) {
        piw__image *made = image_new(plugin->name != NULL ? plugin->name : "a task");
        rc = image_finish(made, plugin, err);
        *image = made;
    }
    pthread_mutex_unlock(&loader.lock);
    return rc;
}

unsigned piw__images_count(void)
{
    unsigned count = 0;
    pthread_mutex_lock(&loader.lock);
    for (const piw__image *image = loader.images; image != NULL; image = image->next)
        count++;
    pthread_mutex_unlock(&loader.lock);
    return count;
}

const char *piw__image_continuation(const piw__image *image, const char *name)
{
    const piw_continuation *list = image->plugin->continuations;
    for (unsigned i = 0; i < image->continuations_count; i++)
        if (list[i].name == name || strcmp(list[i].name, name) == 0)
            return image->continuations[i];
    return NULL;
}

piw_continuation_fn *piw__image_continue(const piw__image *image, const char *interned)
{
    for (unsigned i = 0; i < image->continuations_count; i++)
        if (image->continuations[i] == interned)
            return image->plugin->continuations[i].fn;
    return NULL;
}

bool piw__image_serves(const piw__image *image, const char *service)
{
    const piw_service *list = image->plugin->serves;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++)
        if (strcmp(list[i].name, service) == 0)
            return true;
    return false;
}

/* --- What another version of the plugin has made ------------------------------------------------------------------- */

const piw_msg_type *piw__image_type(const piw__image *image, const piw_msg_type *type)
{
    const piw_protocol *same_name = NULL;
    for (unsigned i = 0; i < image->own_count; i++) {
        if (image->own[i] == type->protocol)
            return type;
        if (strcmp(image->own[i]->name, type->protocol->name) == 0)
            same_name = image->own[i];
    }
    if (same_name == NULL)
        return type;
    for (uint16_t i = 0; i < same_name->messages_count; i++) {
        const piw_msg_type *own = &same_name->messages[i];
        if (own->kind == type->kind && strcmp(own->name, type->name) == 0)
            return own;
    }
    return NULL;
}

static int check_state_carried(const piw__image *image, const piw__image *old, piw_err *err)
{
    if (old->state == NULL || old->state == image->state)
        return 0;
    if (image->state == NULL || strcmp(old->state->name, image->state->name) != 0)
        return piw_err_set(err, PIW_EPLUGIN, "%s can't take over from %s: the type of its state is another",
                           image->file, old->file);
    piw_err own_err = {0};
    if (piw__carry_check(old->state, image->state, &own_err) != 0)
        return piw_err_set(err, PIW_EPLUGIN,
                           "%s can't take over from %s: a field of its state has another type: %s: %s", image->file,
                           old->file, old->state->name, own_err.text);
    return 0;
}

int piw__image_follows(const piw__image *image, const piw__image *old, piw_err *err)
{
    int rc = check_state_carried(image, old, err);
    for (unsigned i = 0; i < old->own_count && rc == 0; i++)
        for (uint16_t m = 0; m < old->own[i]->messages_count && rc == 0; m++) {
            const piw_msg_type *type = &old->own[i]->messages[m], *own = piw__image_type(image, type);
            bool kept = type->kind == PIW_M_PEER || type->kind == PIW_M_REPLY;
            piw_err own_err = {0};
            if (kept && own != NULL && own != type && piw__carry_check(type, own, &own_err) != 0)
                rc = piw_err_set(err, PIW_EPLUGIN, "%s can't take over from %s: a field of %s has another type: %s",
                                 image->file, old->file, type->name, own_err.text);
        }
    return rc;
}
