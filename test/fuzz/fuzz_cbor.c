/* Messages in CBOR. */
#include "messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (piw_codec_of(data, len) == PIW_CBOR)
        fuzz_message(data, len, PIW_MSGPACK);
    return 0;
}
