/* test_vectors.c — the engine against what the stock programs put on the wire: ../shared/vectors/encoding.json, or
 * encoding.json in the folder that PIW_VECTORS names. */
#include "unit.h"

#include "values.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <glob.h>

static cJSON *vectors;
static unsigned ran;

static cJSON *load(void)
{
    const char *folder = getenv("PIW_VECTORS");
    char path[512];
    snprintf(path, sizeof(path), "%s/encoding.json", folder != NULL ? folder : "../shared/vectors");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    size_t size = 16 << 20;
    char *text = malloc(size);
    size_t len = fread(text, 1, size - 1, file);
    fclose(file);
    text[len] = '\0';
    cJSON *json = cJSON_Parse(text);
    free(text);
    return json;
}

/* True when there is nothing to test against; says so. */
static bool left_out(const char *name)
{
    if (vectors == NULL)
        vectors = load();
    if (vectors == NULL)
        printf("skip %s - encoding.json isn't found (PIW_VECTORS)\n", name);
    return vectors == NULL;
}

static const char *string_of(const cJSON *item, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(item, name);
    return cJSON_IsString(member) ? member->valuestring : NULL;
}

static const cJSON *special(const cJSON *json, const char *name)
{
    return cJSON_IsObject(json) ? cJSON_GetObjectItemCaseSensitive(json, name) : NULL;
}

/* --- JSON to C values of a declared type. False: the JSON isn't such a value --- */

static bool build(piw_msg *msg, const piw_type *type, uint32_t flags, const cJSON *json, void *to);

static bool build_text(piw_msg *msg, const cJSON *json, piw_text *to)
{
    const cJSON *repeat = special(json, "$repeat");
    if (repeat != NULL) {
        size_t n = (size_t)cJSON_GetArrayItem(repeat, 1)->valuedouble;
        char *text = malloc(n);
        memset(text, cJSON_GetArrayItem(repeat, 0)->valuestring[0], n);
        *to = piw_msg_text(msg, text, n);
        free(text);
        return true;
    }
    /* cJSON cuts a string at an escaped NUL; the one vector that has it is made by hand. */
    if (cJSON_IsString(json))
        *to = piw_msg_textz(msg, json->valuestring);
    return cJSON_IsString(json);
}

static bool build_float(const cJSON *json, double *to)
{
    const cJSON *number = special(json, "$float");
    if (number != NULL)
        *to = strtod(number->valuestring, NULL);
    return number != NULL;
}

static bool build_duration(const cJSON *json, piw_duration *to)
{
    const cJSON *parts = special(json, "$timedelta");
    if (parts != NULL)
        *to = (piw_duration){(int32_t)cJSON_GetArrayItem(parts, 0)->valuedouble,
                             (int32_t)cJSON_GetArrayItem(parts, 1)->valuedouble,
                             (int32_t)cJSON_GetArrayItem(parts, 2)->valuedouble};
    return parts != NULL;
}

static bool build_bytes(piw_msg *msg, const cJSON *json, piw_bytes *to)
{
    const cJSON *hex = special(json, "$bytes");
    uint8_t bytes[64];
    if (hex != NULL)
        *to = piw_msg_bytes(msg, bytes, unit_from_hex(hex->valuestring, bytes));
    return hex != NULL;
}

static bool build_list(piw_msg *msg, const piw_type *type, const cJSON *json, piw__list *to)
{
    if (!cJSON_IsArray(json))
        return false;
    uint32_t size = piw__slot(&type->fields[0]);
    to->count = (uint32_t)cJSON_GetArraySize(json);
    to->at = piw_msg_alloc(msg, (size_t)size * to->count + 1);
    uint8_t *at = to->at;
    const cJSON *element;
    cJSON_ArrayForEach(element, json)
    {
        if (!build(msg, type->fields[0].type, type->fields[0].flags, element, at))
            return false;
        at += size;
    }
    return true;
}

static bool build_map(piw_msg *msg, const piw_type *type, const cJSON *json, piw__list *to)
{
    const cJSON *pairs = special(json, "$map"), *pair;
    if (pairs == NULL)
        return false;
    uint32_t size = piw__entry(type);
    to->count = (uint32_t)cJSON_GetArraySize(pairs);
    to->at = piw_msg_alloc(msg, (size_t)size * to->count + 1);
    uint8_t *at = to->at;
    cJSON_ArrayForEach(pair, pairs)
    {
        if (!build(msg, type->fields[0].type, 0, cJSON_GetArrayItem(pair, 0), at) ||
            !build(msg, type->fields[1].type, type->fields[1].flags, cJSON_GetArrayItem(pair, 1),
                   at + type->fields[1].offset))
            return false;
        at += size;
    }
    return true;
}

/* What monitors are told of a slave: data of the type that the message before it names. */
static bool build_slave_data(piw_msg *msg, const char *word, const cJSON *json, piw_any *to)
{
    if (special(json, "$nodata") != NULL || cJSON_IsNull(json)) {
        to->nodata = !cJSON_IsNull(json);
        return true;
    }
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    const char *like = strcmp(word, "STATS") == 0 ? "IDLE" : word;
    const piw_msg_type *type = piw_protocol_find(slave, like, strlen(like), -1);
    ck_assert_ptr_nonnull(type);
    bool bare = (type->flags & PIW_M_BARE) != 0;
    to->type = bare ? type->body->fields[0].type : type->body;
    void *value = piw_msg_alloc(msg, to->type->size);
    to->value = value;
    return build(msg, to->type, 0, json, value);
}

static bool build_tuple(piw_msg *msg, const piw_type *type, const cJSON *json, int first, uint8_t *to)
{
    if (!cJSON_IsArray(json))
        return false;
    int count = cJSON_GetArraySize(json), i = first;
    const char *word = "";
    for (uint32_t f = 0; f < type->fields_count; f++, i++) {
        const piw_field *field = &type->fields[f];
        const cJSON *member = cJSON_GetArrayItem(json, i);
        if (member == NULL && (field->flags & PIW_F_OPTIONAL) != 0)
            return true;
        if (member == NULL)
            return false;
        if (field->type->kind == PIW_ANY) {
            if (!build_slave_data(msg, word, member, (piw_any *)(void *)(to + field->offset)))
                return false;
        } else if (!build(msg, field->type, field->flags, member, to + field->offset)) {
            return false;
        }
        word = cJSON_IsString(member) ? member->valuestring : "";
    }
    return i == count;
}

static bool build_oneof(piw_msg *msg, const piw_type *type, const cJSON *json, uint8_t *to)
{
    const cJSON *literal = cJSON_GetArrayItem(json, 0);
    for (uint32_t i = 0; i < type->fields_count; i++) {
        if (strcmp(type->fields[i].name, literal->valuestring) != 0)
            continue;
        *(int *)(void *)to = (int)i;
        return build_tuple(msg, type->fields[i].type, json, 1, to + type->fields[i].offset);
    }
    return false;
}

static bool build(piw_msg *msg, const piw_type *type, uint32_t flags, const cJSON *json, void *to)
{
    if (cJSON_IsNull(json))
        return (flags & PIW_F_NULL) != 0;
    if (piw__by_pointer(type, flags)) {
        void *value = piw_msg_alloc(msg, type->size);
        *(void **)to = value;
        to = value;
    }
    const cJSON *time;
    piw_text text;
    piw_blob *blob;
    switch (type->kind) {
    case PIW_INT:
        *(int64_t *)to = (int64_t)json->valuedouble;
        return cJSON_IsNumber(json);
    case PIW_FLOAT:
        return build_float(json, to);
    case PIW_BOOL:
        *(bool *)to = cJSON_IsTrue(json);
        return cJSON_IsBool(json);
    case PIW_TEXT:
        return build_text(msg, json, to);
    case PIW_BYTES:
        return build_bytes(msg, json, to);
    case PIW_BLOB:
        if (!build_text(msg, json, &text))
            return false;
        blob = piw_blob_new(text.s, text.len);
        *(piw_blob **)to = piw_msg_blob(msg, blob);
        piw_blob_unref(&blob);
        return true;
    case PIW_TIME:
        time = special(json, "$datetime");
        return time != NULL && piw_time_parse(time->valuestring, strlen(time->valuestring), to) == 0;
    case PIW_DURATION:
        return build_duration(json, to);
    case PIW_LIST:
        return build_list(msg, type, json, to);
    case PIW_MAP:
        return build_map(msg, type, json, to);
    case PIW_TUPLE:
        return build_tuple(msg, type, json, 0, to);
    case PIW_ONEOF:
        return build_oneof(msg, type, json, to);
    default:
        return false;
    }
}

/* --- Types for the values that stand alone, found from the value --- */

static const piw_type t_int = {.kind = PIW_INT, .size = sizeof(int64_t)};
static const piw_type t_float = {.kind = PIW_FLOAT, .size = sizeof(double)};
static const piw_type t_bool = {.kind = PIW_BOOL, .size = sizeof(bool)};
static const piw_type t_text = {.kind = PIW_TEXT, .size = sizeof(piw_text), .max = 65535};
static const piw_type t_blob = {.kind = PIW_BLOB, .size = sizeof(piw_blob *), .max = 100000};
static const piw_type t_bytes = {.kind = PIW_BYTES, .size = sizeof(piw_bytes), .max = 100};
static const piw_type t_time = {.kind = PIW_TIME, .size = sizeof(piw_time)};
static const piw_type t_duration = {.kind = PIW_DURATION, .size = sizeof(piw_duration)};
static const piw_type t_any = {.kind = PIW_ANY, .size = sizeof(piw_any)};

static const piw_type *infer(const cJSON *json, uint32_t *flags);

/* Kept until the process ends, as a program's own types are. */
static void *keep(void *memory)
{
    static void *kept[1000];
    static size_t count;
    ck_assert_uint_lt(count, PIW_COUNT(kept));
    return kept[count++] = memory;
}

static const piw_type *compound(piw_kind kind, piw_field *fields, uint32_t count, uint32_t size)
{
    piw_type *type = keep(malloc(sizeof(*type)));
    *type = (piw_type){.kind = kind, .size = size, .max = 1000, .fields_count = count, .fields = fields};
    return type;
}

static const piw_type *infer_tuple(const cJSON *json)
{
    uint32_t count = (uint32_t)cJSON_GetArraySize(json), at = 0;
    piw_field *fields = keep(calloc(count + 1, sizeof(*fields)));
    for (uint32_t i = 0; i < count; i++, at += (piw__slot(&fields[i - 1]) + 31) / 32 * 32) {
        fields[i].name = "f";
        fields[i].offset = at;
        fields[i].type = infer(cJSON_GetArrayItem(json, (int)i), &fields[i].flags);
        if (fields[i].type == NULL)
            return NULL;
    }
    return compound(PIW_TUPLE, fields, count, at + 32);
}

static const piw_type *infer_map(const cJSON *pairs)
{
    piw_field *fields = keep(calloc(2, sizeof(*fields)));
    const cJSON *value = cJSON_GetArrayItem(cJSON_GetArrayItem(pairs, 0), 1);
    fields[0].type = &t_text;
    fields[1].type = &t_int;
    fields[1].offset = 16;
    if (cJSON_IsArray(value)) {
        piw_field *element = keep(calloc(1, sizeof(*element)));
        const cJSON *first = cJSON_GetArrayItem(value, 0);
        element->type = first != NULL ? infer(first, &element->flags) : &t_text;
        fields[1].type = compound(PIW_LIST, element, 1, sizeof(piw__list));
    }
    return compound(PIW_MAP, fields, 2, sizeof(piw__list));
}

static const piw_type *infer(const cJSON *json, uint32_t *flags)
{
    *flags = 0;
    if (cJSON_IsNull(json)) {
        *flags = PIW_F_NULL;
        return &t_int;
    }
    if (cJSON_IsArray(json))
        return infer_tuple(json);
    if (special(json, "$map") != NULL)
        return infer_map(special(json, "$map"));
    if (special(json, "$repeat") != NULL) {
        *flags = PIW_F_LOSSY;
        return &t_blob;
    }
    return cJSON_IsBool(json)                    ? &t_bool
           : cJSON_IsNumber(json)                ? &t_int
           : cJSON_IsString(json)                ? &t_text
           : special(json, "$float") != NULL     ? &t_float
           : special(json, "$datetime") != NULL  ? &t_time
           : special(json, "$timedelta") != NULL ? &t_duration
           : special(json, "$bytes") != NULL     ? &t_bytes
           : special(json, "$nodata") != NULL    ? &t_any
                                                 : NULL;
}

/* The value into `to`: what JSON itself can't hold exactly comes from its name. */
static bool build_alone(piw_msg *msg, const char *name, const piw_type *type, uint32_t flags, const cJSON *json,
                        void *to)
{
    if (type == &t_any) {
        ((piw_any *)to)->nodata = true;
        return true;
    }
    if (strcmp(name, "str nul") == 0) {
        *(piw_text *)to = piw_msg_text(msg, "a\0b", 3);
        return true;
    }
    if (type == &t_int && strncmp(name, "int ", 4) == 0) {
        errno = 0;
        *(int64_t *)to = strtoll(name + 4, NULL, 10);
        return errno == 0; /* wider integers aren't ours */
    }
    if (type->kind == PIW_TUPLE && strstr(name, "NoData") != NULL) {
        const piw_field *last = &type->fields[1];
        ((piw_any *)(void *)((uint8_t *)to + last->offset))->nodata = true;
        return build_text(msg, cJSON_GetArrayItem(json, 0), to);
    }
    return build(msg, type, flags, json, to);
}

static void check_value(const cJSON *vector)
{
    const char *name = string_of(vector, "name"), *hex = string_of(vector, "hex");
    const cJSON *json = cJSON_GetObjectItemCaseSensitive(vector, "value");
    uint32_t flags;
    const piw_type *type = infer(json, &flags);
    if (type == NULL)
        return;
    piw_err err = {0};
    piw_buffer bytes = {0};
    piw_protocol_use(&control_protocol_def);
    piw_msg *msg = control_HELLO_new();
    void *value = piw_msg_alloc(msg, (size_t)type->size + 8), *back = piw_msg_alloc(msg, (size_t)type->size + 8);
    if (!build_alone(msg, name, type, flags, json, value)) {
        piw_msg_free(&msg);
        return;
    }
    int r = piw_encode_value(type, flags, value, PIW_CBOR, &bytes, &err);
    ck_assert_msg(r == 0, "%s: %s", name, err.text);
    char *made = to_hex(bytes.data, bytes.len);
    if (hex != NULL) {
        ck_assert_msg(strcmp(made, hex) == 0, "%s: %s, not %s", name, made, hex);
    } else {
        hex = string_of(vector, "hex_prefix");
        ck_assert_msg(strncmp(made, hex, strlen(hex)) == 0, "%s", name);
        ck_assert_uint_eq(bytes.len, (size_t)cJSON_GetObjectItemCaseSensitive(vector, "len")->valuedouble);
    }
    r = piw_decode_value(type, flags, bytes.data, bytes.len, PIW_CBOR, msg, back, &err);
    ck_assert_msg(r == 0, "%s: %s", name, err.text);
    ck_assert_msg(equal(type, flags, value, back), "%s differs once decoded", name);
    ran++;
    free(made);
    piw_buffer_fini(&bytes);
    piw_msg_free(&msg);
}

START_TEST(values_byte_for_byte)
{
    if (left_out("values_byte_for_byte"))
        return;
    const cJSON *vector;
    ran = 0;
    cJSON_ArrayForEach(vector, cJSON_GetObjectItemCaseSensitive(vectors, "values"))
    {
        if (string_of(vector, "hex") != NULL || string_of(vector, "hex_prefix") != NULL)
            check_value(vector);
    }
    ck_assert_msg(ran >= 100, "only %u values were compared", ran);
}
END_TEST

/* --- Messages --- */

static void check_bytes(const char *name, const piw_msg *msg, const char *hex)
{
    piw_err err = {0};
    piw_buffer bytes = {0};
    int r = piw_encode(msg, PIW_CBOR, &bytes, &err);
    ck_assert_msg(r == 0, "%s: %s", name, err.text);
    char *made = to_hex(bytes.data, bytes.len);
    ck_assert_msg(strcmp(made, hex) == 0, "%s: %s, not %s", name, made, hex);
    free(made);
    piw_buffer_fini(&bytes);
}

/* What stock's own tasks say to each other: our inner services have other shapes, but the encoding is the same. A word
 * alone, or a pair of it and its data, as types made for this one message. */
static void check_inner_message(const cJSON *vector)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(vector, "data");
    const char *word = string_of(vector, "msg");
    cJSON *json = cJSON_CreateString(word);
    if (special(data, "$nodata") == NULL) {
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, json);
        cJSON_AddItemToArray(pair, cJSON_Duplicate(data, true));
        json = pair;
    }
    cJSON *named = cJSON_CreateObject();
    cJSON_AddStringToObject(named, "name", word);
    cJSON_AddStringToObject(named, "hex", string_of(vector, "hex"));
    cJSON_AddItemToObject(named, "value", json);
    check_value(named);
    cJSON_Delete(named);
}

static void check_message(const cJSON *vector)
{
    const char *queue = string_of(vector, "queue"), *name = string_of(vector, "msg"), *hex = string_of(vector, "hex");
    bool to_master = strcmp(string_of(vector, "dir"), "to_master") == 0;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(vector, "data");
    const piw_protocol *protocol = protocol_named(queue);
    if (protocol == NULL) {
        check_inner_message(vector);
        return;
    }
    const piw_msg_type *type = piw_protocol_find(protocol, name, strlen(name), to_master);
    ck_assert_msg(type != NULL, "%s %s is not declared", queue, name);
    piw_msg *msg = piw_msg_new(type), *back;
    uint8_t *body = piw_msg_any_body(msg);
    bool built = (type->flags & PIW_M_NODATA) != 0 ? special(data, "$nodata") != NULL
                 : (type->flags & PIW_M_BARE) != 0 ? build(msg, type->body->fields[0].type, type->body->fields[0].flags,
                                                           data, body + type->body->fields[0].offset)
                                                   : build(msg, type->body, 0, data, body);
    ck_assert_msg(built, "%s %s: the data don't fit the declared type", queue, name);
    check_bytes(name, msg, hex);
    piw_err err = {0};
    uint8_t *bytes = malloc(strlen(hex));
    size_t len = unit_from_hex(hex, bytes);
    int r = piw_decode(protocol, to_master, bytes, len, NULL, &back, NULL, &err);
    ck_assert_msg(r == 0, "%s %s: %s", queue, name, err.text);
    ck_assert_msg(equal(type->body, 0, body, piw_msg_any_body(back)), "%s %s differs once decoded", queue, name);
    check_bytes(name, back, hex);
    ran++;
    free(bytes);
    piw_msg_free(&back);
    piw_msg_free(&msg);
}

START_TEST(messages_byte_for_byte)
{
    if (left_out("messages_byte_for_byte"))
        return;
    const cJSON *vector, *list = cJSON_GetObjectItemCaseSensitive(vectors, "messages");
    ran = 0;
    cJSON_ArrayForEach(vector, list)
    {
        check_message(vector);
    }
    ck_assert_msg(ran == (unsigned)cJSON_GetArraySize(list), "only %u messages were compared", ran);
}
END_TEST

static const piw_protocol *stock_protocol(const char *name)
{
    static const struct {
        const char *stock, *ours;
    } names[] = {
        {"slave_driver", "slave"}, {"master_control", "control"}, {"mr_chase", "import"}, {"lumberjack", "log"}};
    for (size_t i = 0; i < PIW_COUNT(names); i++)
        if (strcmp(names[i].stock, name) == 0)
            return protocol_named(names[i].ours);
    return NULL;
}

static int receive(const cJSON *vector, piw_msg **msg, piw_err *err)
{
    const char *hex = string_of(vector, "hex");
    const piw_protocol *protocol = stock_protocol(string_of(vector, "protocol"));
    ck_assert_ptr_nonnull(protocol);
    size_t len = (size_t)cJSON_GetObjectItemCaseSensitive(vector, "len")->valuedouble;
    uint8_t *bytes = malloc(len + 1);
    if (hex != NULL) {
        ck_assert_uint_eq(unit_from_hex(hex, bytes), len);
    } else {
        /* Long ones are shown by their beginning: the same byte over and over. */
        unit_from_hex(string_of(vector, "hex_prefix"), bytes);
        memset(bytes, bytes[0], len);
    }
    ran++;
    int rc = piw_decode(protocol, 1, bytes, len, NULL, msg, NULL, err);
    free(bytes);
    return rc;
}

/* Where the master's rules (docs/wire.md#what-is-refused) ask for another answer than the stock program's. */
static bool differs(const char *name)
{
    static const char *const ours[] = {"trailing bytes after a good message", "IDLE with bool where int wanted",
                                       "IDLE with huge (bignum) sizes",       "KILL true",
                                       "IDLE with int load average",          "IDLE with int temperature",
                                       "BUILT invalid UTF-8 output"};
    for (size_t i = 0; i < PIW_COUNT(ours); i++)
        if (strcmp(ours[i], name) == 0)
            return true;
    return false;
}

static void check_received(const char *list, bool accepted)
{
    const cJSON *vector;
    ran = 0;
    cJSON_ArrayForEach(vector, cJSON_GetObjectItemCaseSensitive(vectors, list))
    {
        const char *name = string_of(vector, "name"), *word = string_of(vector, "msg");
        piw_err err = {0};
        piw_msg *msg;
        int r = receive(vector, &msg, &err);
        ck_assert_msg((r == 0) == (accepted != differs(name)), "%s: %s", name, r == 0 ? "was accepted" : err.text);
        ck_assert_msg(r == 0 || (r == PIW_ESHAPE && err.text[0] != '\0' && msg == NULL), "%s: %d %s", name, r,
                      err.text);
        if (r == 0 && word != NULL)
            ck_assert_str_eq(piw_msg_type_of(msg)->name, word);
        piw_msg_free(&msg);
    }
}

START_TEST(odd_input_is_accepted)
{
    if (left_out("odd_input_is_accepted"))
        return;
    check_received("accepted_receives", true);
    ck_assert_uint_ge(ran, 19);
}
END_TEST

START_TEST(bad_input_is_refused)
{
    if (left_out("bad_input_is_refused"))
        return;
    check_received("rejected_receives", false);
    ck_assert_uint_ge(ran, 48);
}
END_TEST

/* The moments behind the odd forms of a time. */
START_TEST(odd_times_are_read_right)
{
    if (left_out("odd_times_are_read_right"))
        return;
    static const struct {
        const char *name, *time;
    } cases[] = {{"IDLE timestamp as epoch tag 1 integer", "2024-03-01T12:34:56Z"},
                 {"IDLE timestamp as epoch tag 1 float", "2024-03-01T12:34:56.500000Z"},
                 {"IDLE timestamp tag 0 with +00:00", "2024-03-01T12:34:56.789012Z"},
                 {"IDLE timestamp tag 0 with 3 fraction digits", "2024-03-01T12:34:56.789000Z"},
                 {"IDLE timestamp tag 0 with 9 fraction digits", "2024-03-01T12:34:56.789012Z"}};
    const cJSON *vector;
    unsigned seen = 0;
    cJSON_ArrayForEach(vector, cJSON_GetObjectItemCaseSensitive(vectors, "accepted_receives"))
    {
        for (size_t i = 0; i < PIW_COUNT(cases); i++) {
            if (strcmp(cases[i].name, string_of(vector, "name")) != 0)
                continue;
            piw_msg *msg;
            char text[40];
            ck_assert_int_eq(receive(vector, &msg, NULL), 0);
            piw_time_format(slave_IDLE_of(msg)->timestamp, text, sizeof(text));
            ck_assert_str_eq(text, cases[i].time);
            piw_msg_free(&msg);
            seen++;
        }
    }
    ck_assert_uint_eq(seen, PIW_COUNT(cases));
}
END_TEST

/* --- Conversations --- */

/* One recorded frame: what stock programs said is read, and written again as it was. */
static void check_frame(const char *file, const piw_protocol *protocol, bool to_master, const char *hex, bool good)
{
    piw_err err = {0};
    piw_msg *msg;
    uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
    size_t len = unit_from_hex(hex, bytes);
    int r = piw_decode(protocol, to_master, bytes, len, NULL, &msg, NULL, &err);
    ck_assert_msg(r == 0 || !good, "%s: %s: %s", file, hex, err.text);
    ck_assert(r == 0 || err.text[0] != '\0');
    if (r == 0 && good)
        check_bytes(file, msg, hex);
    piw_msg_free(&msg);
    free(bytes);
    ran++;
}

static void check_line(const char *file, char *line, bool good)
{
    cJSON *json = cJSON_Parse(line);
    const char *queue = string_of(json, "queue");
    const piw_protocol *protocol = queue != NULL ? protocol_named(queue) : NULL;
    const cJSON *frame = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "frames"), 0);
    if (protocol != NULL && protocol->queue != PIW_Q_FRAMES && cJSON_IsString(frame))
        check_frame(file, protocol, strcmp(string_of(json, "dir"), "to_master") == 0, frame->valuestring, good);
    cJSON_Delete(json);
}

START_TEST(recorded_conversations_are_read)
{
    const char *folder = getenv("PIW_VECTORS") != NULL ? getenv("PIW_VECTORS") : "../shared/vectors";
    if (left_out("recorded_conversations_are_read"))
        return;
    glob_t found;
    char pattern[512];
    snprintf(pattern, sizeof(pattern), "%s/*.jsonl", folder);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    ran = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *file = fopen(found.gl_pathv[i], "rb");
        ck_assert_ptr_nonnull(file);
        char *line = NULL;
        size_t size = 0;
        /* Probes break the rules on purpose: there it is enough that nothing else breaks. */
        bool good = strstr(found.gl_pathv[i], "/probe-") == NULL;
        while (getline(&line, &size, file) > 0)
            check_line(found.gl_pathv[i], line, good);
        free(line);
        fclose(file);
    }
    globfree(&found);
    ck_assert_msg(ran > 500, "only %u frames were read", ran);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vectors");
    TCase *tcase = tcase_create("vectors");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, values_byte_for_byte);
    tcase_add_test(tcase, messages_byte_for_byte);
    tcase_add_test(tcase, odd_input_is_accepted);
    tcase_add_test(tcase, bad_input_is_refused);
    tcase_add_test(tcase, odd_times_are_read_right);
    tcase_add_test(tcase, recorded_conversations_are_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
