/* journal.c — what is known of builds on their way, as a file that only grows and is begun anew now and then. */
#include "journal.h"

#include "piw/codec.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 16, RECORD_MAX = 64 << 20, FILE_MAX = 512 << 20, DIGITS = 12, KNOWN_MAX = 64 };
static const char NAME[] = "journal.";

/* --- Entries ---------------------------------------------------------------------------------------------------------- */

static bool is_build(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const journal_entry, by_id)->build_id == *(const int64_t *)key;
}

static journal_entry *find(const journal *j, int64_t id)
{
    piw_table_node *node = piw_table_find(&j->builds, piw_table_hash_u64((uint64_t)id), is_build, &id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, journal_entry, by_id);
}

const journal_entry *journal_next(const journal *j, const journal_entry *entry)
{
    piw_table_node *node = piw_table_next(&j->builds, entry == NULL ? NULL : &entry->by_id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, journal_entry, by_id);
}

static void set_whole(journal *j, journal_entry *entry, bool whole)
{
    j->whole += whole && !entry->whole;
    j->whole -= !whole && entry->whole;
    entry->whole = whole;
}

static void forget(journal *j, journal_entry *entry)
{
    set_whole(j, entry, false);
    piw_table_remove(&j->builds, &entry->by_id);
    j->open_size -= entry->size;
    piw_msg_free(&entry->owner);
    free(entry);
}

/* Take out of the list that it is in. */
static void unlink_from(journal_entry **list, const journal_entry *entry)
{
    while (*list != NULL && *list != entry)
        list = &(*list)->next;
    if (*list != NULL)
        *list = entry->next;
}

/* The build is on its way (again): an entry with room for `room` bytes of its record, in place of the one before. */
static journal_entry *put_entry(journal *j, int64_t id, size_t size, size_t room)
{
    journal_entry *before = find(j, id);
    if (before != NULL) {
        unlink_from(before->state == JOURNAL_IS_OVER ? &j->over : &j->syncing, before);
        forget(j, before);
    }
    journal_entry *entry = piw_alloc(sizeof(*entry) + room);
    *entry = (journal_entry){.build_id = id};
    entry->size = size;
    entry->state = JOURNAL_IS_OPEN;
    piw_table_add(&j->builds, &entry->by_id, piw_table_hash_u64((uint64_t)id));
    j->open_size += size;
    return entry;
}

static void keep(journal *j, piw_msg **owner, size_t size)
{
    const journal_build *build = journal_build_of(*owner);
    journal_entry *entry = put_entry(j, build->build_id, size, 0);
    entry->build = build;
    entry->owner = *owner;
    *owner = NULL;
    set_whole(j, entry, build->wheel != NULL);
}

/* --- Records ---------------------------------------------------------------------------------------------------------- */

static void put_number(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* A record's head: its length without this, a checksum of what follows, and which build it is of (0: a mark). */
static size_t head_length(const uint8_t *record)
{
    return get_number(record, 4);
}

static int64_t head_build(const uint8_t *record)
{
    return (int64_t)get_number(record + 8, 8);
}

static uint32_t checksum(const uint8_t *record)
{
    return libdeflate_crc32(0, record + 8, HEAD - 8 + head_length(record));
}

/* Behind the buffer's bytes: a head, and the message. */
static int add_record(piw_buffer *bytes, int64_t build_id, const piw_msg *msg, piw_err *err)
{
    static const uint8_t head[HEAD];
    size_t at = bytes->len;
    if (piw_buffer_add(bytes, head, HEAD) != 0)
        return piw_err_set(err, PIW_ENOMEM, "no memory for the journal of builds");
    int rc = piw_record_write(msg, bytes, err);
    size_t len = bytes->len - at - HEAD;
    if (rc == 0 && len > RECORD_MAX)
        rc = piw_err_set(err, PIW_ELIMIT, "a record of %zu bytes is too long for the journal of builds", len);
    if (rc != 0) {
        bytes->len = at;
        return rc;
    }
    uint8_t *record = bytes->data + at;
    put_number(record, len, 4);
    put_number(record + 8, (uint64_t)build_id, 8);
    put_number(record + 4, checksum(record), 4);
    return 0;
}

static int add_mark(piw_buffer *bytes, const int64_t *ids, uint32_t count, int64_t low, piw_err *err)
{
    journal_over *body;
    piw_msg *msg = journal_over_new(&body);
    piw_msg_list(msg, &body->builds, count);
    if (count > 0)
        memcpy(body->builds.at, ids, count * sizeof(*ids));
    body->low = low;
    int rc = add_record(bytes, 0, msg, err);
    piw_msg_free(&msg);
    return rc;
}

static int write_at(int fd, const uint8_t *data, size_t len, size_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        at += (size_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* Zeros behind the records, more where these grow faster: what is written over them changes neither the file's size nor its blocks, so a
 * sync of it writes its bytes and no more. Where there is no room for them it goes without. */
static void write_ahead(journal *j)
{
    static const uint8_t zeros[64 << 10];
    for (size_t until = j->size + sizeof(zeros) + j->open_size / 4; j->ahead < until; j->ahead += sizeof(zeros))
        if (write_at(j->fd, zeros, sizeof(zeros), j->ahead) != 0)
            return;
}

/* All of it or nothing: what was begun is cut off again, or nothing is written behind it any more. */
static int append(journal *j, const piw_buffer *bytes, piw_err *err)
{
    if (write_at(j->fd, bytes->data, bytes->len, j->size) == 0) {
        j->size += bytes->len;
        if (j->size > j->ahead) {
            j->ahead = j->size;
            write_ahead(j);
        }
        return 0;
    }
    int rc = piw_err_errno(err, "can't write the journal of builds under %s", j->root);
    j->ahead = j->size;
    if (ftruncate(j->fd, (off_t)j->size) != 0) {
        close(j->fd);
        j->fd = -1;
    }
    return rc;
}

/* --- Files ------------------------------------------------------------------------------------------------------------ */

bool journal_path(const journal *j, char *path)
{
    return piw_path_journal(path, j->root, j->number);
}

static int cant_begin(journal *j, const char *path, piw_err *err)
{
    j->no_room = errno == ENOSPC || errno == EDQUOT;
    return piw_err_errno(err, "can't begin the journal of builds %s", path);
}

/* The next file; a number that is taken is that of a soul which never came to work. */
static int make_file(journal *j, int64_t *number, char *path, int *fd, piw_err *err)
{
    char staging[PIW_PATH_MAX];
    if (!piw_path_staging(staging, j->root))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", j->root);
    if (mkdir(staging, 0700) != 0 && errno != EEXIST)
        return cant_begin(j, staging, err);
    do {
        ++*number;
        if (!piw_path_journal(path, j->root, *number))
            return piw_err_set(err, PIW_EINVAL, "the journal of builds under %s has no number left", j->root);
        *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (*fd < 0 && errno == EEXIST);
    return *fd >= 0 ? 0 : cant_begin(j, path, err);
}

static int add_entry(piw_buffer *bytes, const journal_entry *entry, piw_err *err)
{
    if (entry->owner != NULL)
        return add_record(bytes, entry->build_id, entry->owner, err);
    return piw_buffer_add(bytes, entry->record, entry->size) == 0
               ? 0
               : piw_err_set(err, PIW_ENOMEM, "no memory for the journal of builds");
}

static int fill_file(journal *j, int64_t *number, int *fd, const piw_buffer *bytes, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int rc = make_file(j, number, path, fd, err);
    if (rc != 0 || piw_write_all(*fd, bytes->data, bytes->len) == 0)
        return rc;
    rc = cant_begin(j, path, err);
    close(*fd);
    (void)unlink(path); /* what it has is in the one before as well */
    return rc;
}

/* Begin the next file with all that is open; the one before stays until this one is on the disk, and is gone on with when this one
 * can't be filled. */
static int next_file(journal *j, piw_err *err)
{
    piw_buffer bytes = {0};
    int fd = -1;
    int64_t number = j->number;
    j->no_room = false;
    int rc = add_mark(&bytes, NULL, 0, j->low, err);
    for (const journal_entry *entry = journal_next(j, NULL); rc == 0 && entry != NULL; entry = journal_next(j, entry))
        rc = add_entry(&bytes, entry, err);
    if (rc == 0)
        rc = fill_file(j, &number, &fd, &bytes, err);
    if (rc == 0) {
        if (j->fd >= 0)
            close(j->fd);
        j->fd = fd;
        j->number = number;
        j->size = j->ahead = bytes.len;
        j->marked = j->low;
    }
    piw_buffer_fini(&bytes);
    return rc;
}

/* Files before this one aren't needed any more. */
static void remove_before(journal *j, int64_t number)
{
    for (char path[PIW_PATH_MAX]; j->first_number < number; j->first_number++) {
        piw_err err = {0};
        if (piw_path_journal(path, j->root, j->first_number) && piw_file_remove(path, &err) != 0)
            piw_warning("an old journal of builds stays: %s", err.text);
    }
}

/* --- Reading ---------------------------------------------------------------------------------------------------------- */

static void take_over(journal *j, const journal_over *over)
{
    for (uint32_t i = 0; i < over->builds.count; i++) {
        journal_entry *entry = find(j, over->builds.at[i]);
        if (entry != NULL)
            forget(j, entry);
    }
    j->low = over->low;
}

/* NULL, with a warning, when it can't be read. */
static piw_msg *decode(const journal *j, const uint8_t *record)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    if (piw_record_read(file_juggler_protocol_def.interned, record + HEAD, head_length(record), &msg, &err) != 0)
        piw_warning("a record in the journal of builds under %s can't be read: %s", j->root, err.text);
    return msg;
}

static bool is_build_record(const piw_msg *msg)
{
    return msg != NULL && piw_msg_type_of(msg) == journal_build_type();
}

/* One record. False when it isn't whole. */
static bool take(journal *j, const uint8_t *data, size_t len, bool lazily, size_t *at)
{
    const uint8_t *record = data + *at;
    if (len - *at < HEAD || head_length(record) == 0 || head_length(record) > len - *at - HEAD ||
        checksum(record) != get_number(record + 4, 4))
        return false;
    size_t size = HEAD + head_length(record);
    *at += size;
    if (lazily && head_build(record) != 0) {
        memcpy(put_entry(j, head_build(record), size, size)->record, record, size);
        return true;
    }
    piw_msg *msg = decode(j, record);
    if (is_build_record(msg))
        keep(j, &msg, size);
    else if (msg != NULL && piw_msg_type_of(msg) == journal_over_type())
        take_over(j, journal_over_of(msg));
    piw_msg_free(&msg);
    return true;
}

const journal_entry *journal_find(journal *j, int64_t build_id)
{
    journal_entry *entry = find(j, build_id);
    if (entry == NULL || entry->build != NULL)
        return entry;
    piw_msg *msg = decode(j, entry->record);
    if (!is_build_record(msg)) {
        piw_msg_free(&msg);
        unlink_from(entry->state == JOURNAL_IS_OVER ? &j->over : &j->syncing, entry);
        forget(j, entry);
        return NULL;
    }
    entry->owner = msg;
    entry->build = journal_build_of(msg);
    set_whole(j, entry, entry->build->wheel != NULL && entry->state == JOURNAL_IS_OPEN);
    return entry;
}

void journal_is_whole(journal *j, int64_t build_id)
{
    journal_entry *entry = find(j, build_id);
    if (entry != NULL && entry->state == JOURNAL_IS_OPEN)
        set_whole(j, entry, true);
}

/* Others write no more to it. */
static int map_file(const char *path, const uint8_t **data, size_t *len, piw_err *err)
{
    struct stat info;
    *data = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return piw_err_errno(err, "can't open %s", path);
    int rc = fstat(fd, &info) != 0     ? piw_err_errno(err, "can't read %s", path)
             : info.st_size > FILE_MAX ? piw_err_set(err, PIW_ELIMIT, "%s is larger than %d bytes", path, FILE_MAX)
                                       : 0;
    void *mapped = NULL;
    *len = rc == 0 ? (size_t)info.st_size : 0;
    if (*len > 0)
        mapped = mmap(NULL, *len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (mapped == MAP_FAILED)
        rc = piw_err_errno(err, "can't map %s", path);
    close(fd);
    *data = mapped;
    return rc;
}

static bool all_zeros(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* `j->size` becomes that of its records, 0 when it ends with a torn one. */
static void take_all(journal *j, const char *path, const uint8_t *data, size_t len, bool lazily)
{
    size_t at = 0;
    while (at < len && take(j, data, len, lazily, &at))
        ;
    bool whole = all_zeros(data + at, len - at);
    j->size = whole ? at : 0;
    j->ahead = len;
    if (!whole)
        piw_info("%s ends with %zu bytes of a record that was never finished", path, len - at);
}

/* At a swap it lies in memory still. At a start it may come from a disk that can't read it, which a mapping would end the process for. */
static int read_file(journal *j, int64_t number, bool lazily, piw_err *err)
{
    char path[PIW_PATH_MAX];
    const uint8_t *mapped = NULL;
    void *read = NULL;
    size_t len;
    if (!piw_path_journal(path, j->root, number))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", j->root);
    int rc = lazily ? map_file(path, &mapped, &len, err) : piw_file_read(path, FILE_MAX, &read, &len, err);
    if (rc != 0)
        return rc;
    take_all(j, path, lazily ? mapped : read, len, lazily);
    if (lazily && len > 0)
        munmap((void *)(uintptr_t)mapped, len);
    free(read);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The numbers of the files there are, in order; *numbers is the caller's. */
static int list_files(const journal *j, int64_t **numbers, size_t *count, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staging(path, j->root))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", j->root);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    size_t room = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        const char *digits = entry->d_name + sizeof(NAME) - 1;
        if (strncmp(entry->d_name, NAME, sizeof(NAME) - 1) != 0 || strlen(digits) != DIGITS ||
            strspn(digits, "0123456789") != DIGITS)
            continue;
        if (*count == room) {
            room = room == 0 ? 8 : 2 * room;
            *numbers = piw_realloc(*numbers, room * sizeof(**numbers));
        }
        (*numbers)[(*count)++] = strtoll(digits, NULL, 10);
    }
    closedir(folder);
    if (*count > 0)
        qsort(*numbers, *count, sizeof(**numbers), by_value);
    return 0;
}

static bool is_there(const journal *j, int64_t number)
{
    char path[PIW_PATH_MAX];
    return piw_path_journal(path, j->root, number) && access(path, F_OK) == 0;
}

/* The same of files that are known, when just those are there: a soul that has failed meanwhile may have begun another. */
static int find_files(const journal *j, const juggler_files *known, int64_t **numbers, size_t *count, piw_err *err)
{
    if (known == NULL || known->first < 1 || known->last < known->first || known->last - known->first >= KNOWN_MAX ||
        is_there(j, known->last + 1))
        return list_files(j, numbers, count, err);
    for (int64_t number = known->first; number <= known->last; number++) {
        if (!is_there(j, number))
            return list_files(j, numbers, count, err);
    }
    *count = (size_t)(known->last - known->first + 1);
    *numbers = piw_alloc(*count * sizeof(**numbers));
    for (size_t i = 0; i < *count; i++)
        (*numbers)[i] = known->first + (int64_t)i;
    return 0;
}

/* Go on with the last file if all that is open stands in it, whole: tasks are swapped often. Where there is no room for the next one the
 * files stay as they are until something is to be noted. */
static int go_on(journal *j, int64_t marked, bool alone, piw_err *err)
{
    char path[PIW_PATH_MAX];
    j->marked = marked;
    if (j->size > 0 && alone && journal_path(j, path))
        j->fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (j->fd >= 0)
        return 0;
    int rc = next_file(j, err);
    return j->no_room ? 0 : rc;
}

int journal_open(journal *j, const char *root, const juggler_files *known, piw_err *err)
{
    *j = (journal){.root = piw_strdup(root), .fd = -1, .low = INT64_MAX, .first_number = 1};
    int64_t *numbers = NULL;
    size_t count = 0;
    int rc = find_files(j, known, &numbers, &count, err);
    /* Each file begins with all that was open: earlier ones are for a machine that went down before it was synced. */
    for (size_t i = known != NULL && count > 0 ? count - 1 : 0; rc == 0 && i < count; i++)
        rc = read_file(j, numbers[i], known != NULL, err);
    if (rc == 0 && count > 0) {
        j->first_number = numbers[0];
        j->number = numbers[count - 1];
    }
    free(numbers);
    int64_t marked = j->low;
    j->high = j->low == INT64_MAX ? 0 : j->low;
    for (const journal_entry *entry = journal_next(j, NULL); entry != NULL; entry = journal_next(j, entry)) {
        if (entry->build_id < j->low)
            j->low = entry->build_id;
        if (entry->build_id >= j->high)
            j->high = entry->build_id + 1;
    }
    if (rc == 0) /* at a start nobody knows whether the last one was filled, or ends by chance where a record does */
        rc = go_on(j, marked, known != NULL || count < 2, err);
    if (rc != 0)
        journal_close(j);
    return rc;
}

void journal_close(journal *j)
{
    const journal_entry *entry = journal_next(j, NULL);
    while (entry != NULL) {
        const journal_entry *next = journal_next(j, entry);
        forget(j, find(j, entry->build_id));
        entry = next;
    }
    piw_table_fini(&j->builds);
    if (j->fd >= 0)
        close(j->fd);
    free(j->root);
    *j = (journal){.fd = -1};
}

/* --- Writing ---------------------------------------------------------------------------------------------------------- */

static int make_room(journal *j, piw_err *err)
{
    if (j->builds.count >= JOURNAL_BUILDS_MAX || j->open_size >= JOURNAL_OPEN_MAX)
        return piw_err_set(err, PIW_ESYS, "the journal of builds is full: %zu are on their way to the database",
                           j->builds.count);
    return j->fd < 0 || j->size > JOURNAL_GROWTH + 2 * j->open_size ? next_file(j, err) : 0;
}

int journal_put(journal *j, piw_msg **owner, piw_err *err)
{
    int64_t id = journal_build_of(*owner)->build_id;
    piw_buffer bytes = {0};
    int rc = make_room(j, err);
    if (rc == 0)
        rc = add_record(&bytes, id, *owner, err);
    if (rc == 0)
        rc = append(j, &bytes, err);
    if (rc == 0) {
        keep(j, owner, bytes.len);
        if (id < j->low)
            j->low = id;
        if (id >= j->high)
            j->high = id + 1;
    }
    piw_buffer_fini(&bytes);
    return rc;
}

bool journal_late(const journal *j, int64_t build_id)
{
    return build_id < j->marked;
}

void journal_end(journal *j, int64_t build_id)
{
    journal_entry *entry = find(j, build_id);
    if (entry == NULL || entry->state != JOURNAL_IS_OPEN)
        return;
    set_whole(j, entry, false);
    entry->state = JOURNAL_IS_OVER;
    entry->next = j->over;
    j->over = entry;
}

void journal_sync_begins(journal *j)
{
    while (j->over != NULL) {
        journal_entry *entry = j->over;
        j->over = entry->next;
        entry->state = JOURNAL_IS_SYNCING;
        entry->next = j->syncing;
        j->syncing = entry;
    }
    j->synced_number = j->fd >= 0 ? j->number : j->first_number;
}

/* The lowest build that isn't over and on the disk. */
static int64_t lowest(const journal *j)
{
    int64_t low = j->high > 0 ? j->high : INT64_MAX;
    for (const journal_entry *entry = journal_next(j, NULL); entry != NULL; entry = journal_next(j, entry)) {
        if (entry->state != JOURNAL_IS_SYNCING && entry->build_id < low)
            low = entry->build_id;
    }
    return low;
}

static int note_synced(journal *j, piw_err *err)
{
    uint32_t count = 0;
    int64_t *ids = piw_alloc((j->builds.count + 1) * sizeof(*ids));
    for (const journal_entry *entry = j->syncing; entry != NULL; entry = entry->next)
        ids[count++] = entry->build_id;
    int64_t low = lowest(j);
    piw_buffer bytes = {0};
    int rc = j->fd >= 0 ? 0 : next_file(j, err);
    if (rc == 0)
        rc = add_mark(&bytes, ids, count, low, err);
    if (rc == 0)
        rc = append(j, &bytes, err);
    if (rc == 0)
        j->low = j->marked = low;
    piw_buffer_fini(&bytes);
    free(ids);
    return rc;
}

int journal_sync_ends(journal *j, bool good, piw_err *err)
{
    if (good)
        remove_before(j, j->synced_number);
    int rc = good && j->syncing != NULL ? note_synced(j, err) : 0;
    while (j->syncing != NULL) {
        journal_entry *entry = j->syncing;
        j->syncing = entry->next;
        if (good && rc == 0) {
            forget(j, entry);
        } else {
            entry->state = JOURNAL_IS_OPEN;
            journal_end(j, entry->build_id);
        }
    }
    /* Now the least is open: the next file begins with little. Where much is open still, as while the database is away, that is written
     * again for half as much at least. */
    return rc == 0 && j->size > JOURNAL_GROWTH + j->open_size + j->open_size / 2 ? next_file(j, err) : rc;
}
