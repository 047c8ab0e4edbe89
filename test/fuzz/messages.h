/* messages.h — both codecs: bytes are read as a message of every protocol; what is read survives being written and read again. */
#ifndef FUZZ_MESSAGES_H
#define FUZZ_MESSAGES_H

#include "fuzz.h"

#include "piw/codec.h"

#include "protocols.h"

#define FUZZ_PROTOCOL(definition) &(definition),
static piw_protocol_def *const fuzz_protocols[] = {PIW_PROTOCOLS(FUZZ_PROTOCOL)};

/* Written as `codec`, read again and written again: the same bytes. */
static inline void fuzz_again(const piw_protocol *protocol, const piw_msg *msg, piw_codec codec)
{
    piw_err err = {0};
    piw_buffer first = {0}, second = {0};
    piw_msg *back = NULL;
    if (piw_encode(msg, codec, &first, &err) == 0) {
        FUZZ_HOLDS(piw_decode(protocol, -1, first.data, first.len, NULL, &back, NULL, &err) == 0);
        FUZZ_HOLDS(piw_encode(back, codec, &second, &err) == 0);
        FUZZ_HOLDS(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    } else {
        FUZZ_HOLDS(first.len == 0);
    }
    piw_msg_free(&back);
    piw_buffer_fini(&first);
    piw_buffer_fini(&second);
}

static inline void fuzz_message(const uint8_t *data, size_t len, piw_codec other)
{
    for (size_t i = 0; i < PIW_COUNT(fuzz_protocols); i++) {
        const piw_protocol *protocol = piw_protocol_use(fuzz_protocols[i]);
        const piw_msg_type *word = NULL;
        piw_err err = {0};
        piw_msg *msg = NULL;
        int r = piw_decode(protocol, -1, data, len, NULL, &msg, &word, &err);
        fuzz_said(r, &err);
        FUZZ_HOLDS((r == 0) == (msg != NULL));
        if (msg != NULL) {
            FUZZ_HOLDS(piw_msg_check(msg, &err) == 0);
            fuzz_again(protocol, msg, piw_codec_of(data, len));
            fuzz_again(protocol, msg, other);
        }
        piw_msg_free(&msg);
    }
}

#endif
