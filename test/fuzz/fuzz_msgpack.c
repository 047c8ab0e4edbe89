/* Messages in MessagePack, and those that are kept on disk (piw_record_read). */
#include "messages.h"

/* The same bytes as a record: the protocol's hash stands before them, right or wrong. */
static void as_record(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < PIW_COUNT(fuzz_protocols); i++) {
        const piw_protocol *protocol = piw_protocol_use(fuzz_protocols[i]);
        piw_err err = {0};
        piw_msg *msg = NULL;
        uint8_t *record = malloc(len + 8);
        if (record == NULL)
            return;
        for (size_t j = 0; j < 8; j++)
            record[j] = (uint8_t)(protocol->hash >> (8 * (7 - j)));
        memcpy(record + 8, data, len);
        int r = piw_record_read(protocol, record, len + 8, &msg, &err);
        fuzz_said(r, &err);
        FUZZ_HOLDS((r == 0) == (msg != NULL));
        piw_msg_free(&msg);
        free(record);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (piw_codec_of(data, len) == PIW_MSGPACK) {
        fuzz_message(data, len, PIW_CBOR);
        as_record(data, len);
    }
    return 0;
}
