/* codec.c — the two encodings: their names, and telling them apart. */
#include "piw/codec.h"

#include "piw/err.h"

piw_codec piw_codec_of(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    if (len == 0)
        return PIW_CBOR;
    switch (bytes[0]) {
    case 0x92:
    case 0xdc:
    case 0xdd:
    case 0xda:
    case 0xdb:
        return PIW_MSGPACK;
    case 0xd9: /* tag 55799 says "this is CBOR" of itself */
        return len >= 3 && bytes[1] == 0xd9 && bytes[2] == 0xf7 ? PIW_CBOR : PIW_MSGPACK;
    default:
        return bytes[0] >= 0xa0 && bytes[0] <= 0xbf ? PIW_MSGPACK : PIW_CBOR;
    }
}

const char *piw_codec_name(piw_codec codec)
{
    return codec == PIW_CBOR ? "cbor" : "msgpack";
}

int piw_codec_parse(const char *name, piw_codec *codec)
{
    if (strcmp(name, "cbor") != 0 && strcmp(name, "msgpack") != 0)
        return PIW_EINVAL;
    *codec = name[0] == 'c' ? PIW_CBOR : PIW_MSGPACK;
    return 0;
}
