/* states.c — what tasks of an earlier revision save, as that revision writes it: compiled with its headers and libraries by
 * test/upgrade/make-states. Prints for each state, peer record and staged build the bytes of a filled value (piw_record_write: the
 * protocol's hash, then the message), and what is in it:
 *
 *     record PROTOCOL MESSAGE HEX
 *     WHERE NAME VALUE                 (leaves.h)
 */
#include "values.h"

#include "../unit/leaves.h"

enum { VALUES = 2, TRIES = 200, BYTES_MAX = 1200 };

static void say(void *arg, const char *where, const char *name, const char *value)
{
    (void)arg;
    printf("%s %s %s\n", where, name, value);
}

/* The record of a value made with this seed. */
static piw_msg *value_of(const piw_msg_type *type, uint64_t seed, piw_buffer *record)
{
    dice d = {.state = seed, .optional = true};
    piw_msg *msg = piw_msg_new(type);
    piw_err err = {0};
    random_value(&d, msg, type->body, piw_msg_any_body(msg));
    if (piw_record_write(msg, record, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return msg;
}

/* Of many values the fullest that isn't too long. */
static uint64_t fullest(const piw_msg_type *type, uint64_t first)
{
    uint64_t best = first;
    size_t most = 0;
    for (uint64_t seed = first; seed < first + TRIES; seed++) {
        piw_buffer record = {0};
        piw_msg *msg = value_of(type, seed, &record);
        if (record.len > most && record.len <= BYTES_MAX) {
            most = record.len;
            best = seed;
        }
        piw_msg_free(&msg);
        piw_buffer_fini(&record);
    }
    return best;
}

static void print_type(const piw_msg_type *type)
{
    for (uint64_t i = 0; i < VALUES; i++) {
        piw_buffer record = {0};
        piw_msg *msg = value_of(type, fullest(type, 1 + i * TRIES), &record);
        char *hex = to_hex(record.data, record.len);
        printf("record %s %s %s\n", type->protocol->name, type->name, hex);
        const leaves to = {.say = say};
        leaves_of(&to, "", "", type->body, 0, piw_msg_any_body(msg));
        free(hex);
        piw_msg_free(&msg);
        piw_buffer_fini(&record);
    }
}

int main(void)
{
    const piw_protocol *protocols[256];
    size_t count;
    use_all(protocols, &count, 256);
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < protocols[i]->messages_count; j++)
            if (protocols[i]->messages[j].kind == PIW_M_STATE || protocols[i]->messages[j].kind == PIW_M_PEER)
                print_type(&protocols[i]->messages[j]);
    return 0;
}
