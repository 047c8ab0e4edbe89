/* xmlrpc.c — reads the answer to changelog_since_serial as it comes in. */
#include "cloud_gazer/xmlrpc.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>

enum { FIELDS = 5, REFERENCE_MAX = 12 };

/* The answer's elements that mean something here. */
typedef enum { OTHER, VALUE, ARRAY, STRING, INT, NIL, FAULT, MEMBER_NAME } element;

typedef struct field {
    element kind;     /* STRING, INT or NIL */
    uint32_t at, len; /* of its text in `texts` */
} field;

struct gazer_xmlrpc {
    XML_Parser expat;
    gazer_event_fn *fn;
    void *arg;
    piw_err err; /* the first thing wrong, from inside expat's callbacks */
    element stack[GAZER_XML_DEPTH];
    int depth;
    int arrays; /* arrays that are open: 1 the list, 2 an event */
    bool in_fault, fault, finished;
    size_t bytes, events;
    char kept[REFERENCE_MAX + 1]; /* the beginning of what may be a character reference */
    uint32_t kept_len;
    field fields[FIELDS];
    unsigned count; /* of the event's fields */
    bool typed;     /* the value that is read has an element for its type: other text in it means nothing */
    char texts[FIELDS * GAZER_XML_VALUE];
    uint32_t used;   /* of texts */
    char member[32]; /* of the fault: the name of the member that is read */
    char fault_code[32];
    char fault_text[300];
};

static unsigned long long line_of(const gazer_xmlrpc *self)
{
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9 /* where the other is deprecated */
    return XML_GetCurrentLineNumber64(self->expat);
#else
    return XML_GetCurrentLineNumber(self->expat);
#endif
}

static void wrong(gazer_xmlrpc *self, int code, const char *what)
{
    if (self->err.code != 0)
        return;
    piw_err_set(&self->err, code, "PyPI's answer is not what changelog_since_serial gives: %s (line %llu)", what,
                line_of(self));
    XML_StopParser(self->expat, XML_FALSE);
}

static element element_of(const char *name)
{
    static const struct {
        const char *name;
        element kind;
    } known[] = {
        {"value", VALUE}, {"array", ARRAY}, {"string", STRING}, {"int", INT},     {"i4", INT},           {"i8", INT},
        {"nil", NIL},     {"ex:nil", NIL},  {"ex:i8", INT},     {"fault", FAULT}, {"name", MEMBER_NAME},
    };
    for (size_t i = 0; i < PIW_COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].kind;
    return OTHER;
}

/* The value that is read now: a field of an event, or of a fault. NULL elsewhere. */
static field *current_field(gazer_xmlrpc *self)
{
    return self->arrays == 2 && self->count > 0 ? &self->fields[self->count - 1] : NULL;
}

static void start_value(gazer_xmlrpc *self)
{
    self->typed = false;
    if (self->arrays != 2) {
        self->used = 0;
        return;
    }
    if (self->count == FIELDS) {
        wrong(self, PIW_ESHAPE, "an event has more than five fields");
        return;
    }
    self->fields[self->count++] = (field){STRING, self->used, 0};
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    gazer_xmlrpc *self = arg;
    if (self->depth == GAZER_XML_DEPTH) {
        wrong(self, PIW_ELIMIT, "it is nested too deeply");
        return;
    }
    element kind = element_of(name);
    self->stack[self->depth++] = kind;
    field *value = current_field(self);
    switch (kind) {
    case VALUE:
        start_value(self);
        break;
    case ARRAY:
        if (++self->arrays > 2)
            wrong(self, PIW_ESHAPE, "a field of an event is a list");
        else if (self->arrays == 2)
            self->count = 0, self->used = 0;
        break;
    case INT:
    case NIL:
    case STRING:
        /* White space between <value> and the type's element doesn't belong to the value. */
        self->typed = true;
        if (value != NULL) {
            self->used = value->at;
            value->len = 0;
            value->kind = kind;
        } else {
            self->used = 0;
        }
        break;
    case FAULT:
        self->in_fault = self->fault = true;
        break;
    case MEMBER_NAME:
        self->used = 0;
        break;
    case OTHER:
        break;
    }
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
    gazer_xmlrpc *self = arg;
    element in = self->depth > 0 ? self->stack[self->depth - 1] : OTHER;
    field *value = current_field(self);
    if ((value == NULL && !self->in_fault) || (in == VALUE && self->typed) ||
        (in != VALUE && in != STRING && in != INT && in != MEMBER_NAME))
        return;
    if (self->used + (size_t)len > sizeof(self->texts) ||
        (value != NULL && self->used - value->at + (size_t)len > GAZER_XML_VALUE)) {
        wrong(self, PIW_ELIMIT, "a value is too long");
        return;
    }
    memcpy(self->texts + self->used, text, (size_t)len);
    self->used += (uint32_t)len;
    if (value != NULL)
        value->len = self->used - value->at;
}

static void copy_cut(gazer_xmlrpc *self, char *to, size_t size)
{
    size_t len = self->used < size ? self->used : size - 1;
    memcpy(to, self->texts, len);
    to[len] = '\0';
}

static void end_fault_value(gazer_xmlrpc *self)
{
    if (strcmp(self->member, "faultCode") == 0)
        copy_cut(self, self->fault_code, sizeof(self->fault_code));
    else if (strcmp(self->member, "faultString") == 0)
        copy_cut(self, self->fault_text, sizeof(self->fault_text));
    self->member[0] = '\0';
}

static bool read_int(const gazer_xmlrpc *self, const field *from, int64_t *value)
{
    char digits[24];
    if (from->kind != INT || from->len == 0 || from->len >= sizeof(digits))
        return false;
    memcpy(digits, self->texts + from->at, from->len);
    digits[from->len] = '\0';
    char *end;
    errno = 0;
    *value = strtoll(digits, &end, 10);
    return errno == 0 && *end == '\0';
}

static piw_text read_text(const gazer_xmlrpc *self, const field *from)
{
    return (piw_text){from->kind == NIL ? NULL : self->texts + from->at, from->len};
}

static void end_event(gazer_xmlrpc *self)
{
    gazer_event event;
    const field *fields = self->fields;
    if (self->count != FIELDS || fields[0].kind != STRING || (fields[1].kind != STRING && fields[1].kind != NIL) ||
        !read_int(self, &fields[2], &event.time_s) || fields[3].kind != STRING ||
        !read_int(self, &fields[4], &event.serial)) {
        wrong(self, PIW_ESHAPE, "an event isn't [name, version, time, action, serial]");
        return;
    }
    if (++self->events > GAZER_XML_EVENTS) {
        wrong(self, PIW_ELIMIT, "it holds too many events");
        return;
    }
    event.name = read_text(self, &fields[0]);
    event.version = fields[1].kind == NIL ? (piw_text){0} : read_text(self, &fields[1]);
    event.action = read_text(self, &fields[3]);
    self->fn(self->arg, &event);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    (void)name;
    gazer_xmlrpc *self = arg;
    element kind = self->stack[--self->depth];
    if (kind == ARRAY) {
        if (self->arrays == 2)
            end_event(self);
        self->arrays--;
        self->count = 0;
        self->finished |= self->arrays == 0;
    } else if (kind == MEMBER_NAME && self->in_fault) {
        copy_cut(self, self->member, sizeof(self->member));
    } else if (kind == VALUE && self->in_fault) {
        end_fault_value(self);
    } else if (kind == FAULT) {
        self->in_fault = false;
        self->finished = true;
    }
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
                               int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    wrong(arg, PIW_ESHAPE, "it has a document type");
}

gazer_xmlrpc *gazer_xmlrpc_new(gazer_event_fn *fn, void *arg)
{
    gazer_xmlrpc *self = piw_zalloc(sizeof(*self));
    self->expat = XML_ParserCreate(NULL);
    if (self->expat == NULL) {
        free(self);
        return NULL;
    }
    self->fn = fn;
    self->arg = arg;
    XML_SetUserData(self->expat, self);
    XML_SetElementHandler(self->expat, on_start, on_end);
    XML_SetCharacterDataHandler(self->expat, on_text);
    XML_SetStartDoctypeDeclHandler(self->expat, on_doctype);
    return self;
}

void gazer_xmlrpc_free(gazer_xmlrpc **parser)
{
    if (*parser == NULL)
        return;
    XML_ParserFree((*parser)->expat);
    free(*parser);
    *parser = NULL;
}

static int parse(gazer_xmlrpc *self, const void *data, size_t len, bool last, piw_err *err)
{
    if (self->err.code == 0 && XML_Parse(self->expat, data, (int)len, last) == XML_STATUS_ERROR)
        piw_err_set(&self->err, PIW_ESHAPE, "PyPI's answer is not XML: %s (line %llu)",
                    XML_ErrorString(XML_GetErrorCode(self->expat)), line_of(self));
    return self->err.code != 0 ? piw_err_set(err, self->err.code, "%s", self->err.text) : 0;
}

/* XML has no such character, not even as a reference. */
static bool is_no_character(unsigned long code)
{
    return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || (code >= 0xd800 && code <= 0xdfff) ||
           code == 0xfffe || code == 0xffff || code > 0x10ffff;
}

/* Give expat the reference that was held back; one that names no character is replaced. Else expat would refuse the
 * whole answer, each time that it is read. */
static int release(gazer_xmlrpc *self, piw_err *err)
{
    static const char replacement[] = "&#xFFFD;";
    uint32_t len = self->kept_len;
    self->kept[len] = '\0';
    self->kept_len = 0;
    bool hex = len > 3 && self->kept[2] == 'x';
    const char *digits = self->kept + (hex ? 3 : 2);
    if (len > 3 && self->kept[1] == '#' && self->kept[len - 1] == ';') {
        char *end;
        unsigned long code = strtoul(digits, &end, hex ? 16 : 10);
        if (*end == ';' && end != digits && is_no_character(code))
            return parse(self, replacement, sizeof(replacement) - 1, false, err);
    }
    return parse(self, self->kept, len, false, err);
}

/* Parse a piece and check the character references in it. A reference may continue in the next piece, so its
 * beginning is held back. */
static int parse_looking(gazer_xmlrpc *self, const char *bytes, size_t len, piw_err *err)
{
    size_t from = 0;
    int failed = 0;
    for (size_t at = 0; at < len && failed == 0; at++) {
        if (self->kept_len == 0 && bytes[at] != '&')
            continue;
        if (self->kept_len == 0)
            failed = parse(self, bytes + from, at - from, false, err);
        self->kept[self->kept_len++] = bytes[at];
        from = at + 1;
        if (failed == 0 && (bytes[at] == ';' || bytes[at] == '<' || self->kept_len == REFERENCE_MAX))
            failed = release(self, err);
    }
    return failed == 0 && from < len ? parse(self, bytes + from, len - from, false, err) : failed;
}

int gazer_xmlrpc_feed(gazer_xmlrpc *parser, const void *data, size_t len, piw_err *err)
{
    enum { PIECE = 1 << 20 };
    const char *bytes = data;
    parser->bytes += len;
    if (parser->bytes > GAZER_XML_BYTES)
        return piw_err_set(err, PIW_ELIMIT, "PyPI's answer is longer than %d bytes", GAZER_XML_BYTES);
    for (size_t at = 0; at < len; at += PIECE) {
        int failed = parse_looking(parser, bytes + at, len - at < PIECE ? len - at : PIECE, err);
        if (failed != 0)
            return failed;
    }
    return 0;
}

int gazer_xmlrpc_end(gazer_xmlrpc *parser, piw_err *err)
{
    int failed = parser->kept_len > 0 ? release(parser, err) : 0;
    if (failed == 0)
        failed = parse(parser, "", 0, true, err);
    if (failed != 0)
        return failed;
    if (parser->fault)
        return piw_err_set(err, PIW_EREFUSED, "PyPI answered with fault %s: %s", parser->fault_code,
                           parser->fault_text);
    if (!parser->finished)
        return piw_err_set(err, PIW_ESHAPE, "PyPI's answer holds no list of events");
    return 0;
}

int64_t gazer_xmlrpc_reset_s(const gazer_xmlrpc *parser)
{
    /* "The action could not be performed because there were too many requests by the client. Limit may reset in 1 seconds." */
    static const char words[] = "reset in ";
    const char *at = strstr(parser->fault_text, words);
    if (!parser->fault || at == NULL)
        return 0;
    at += sizeof(words) - 1;
    char *end;
    errno = 0;
    long long seconds = strtoll(at, &end, 10);
    return errno == 0 && end != at && seconds > 0 && strncmp(end, " second", 7) == 0 ? seconds : 0;
}

char *gazer_xmlrpc_request(int64_t since_serial)
{
    return piw_sprintf("<?xml version='1.0'?>\n<methodCall><methodName>changelog_since_serial</methodName><params>"
                       "<param><value><int>%lld</int></value></param></params></methodCall>\n",
                       (long long)since_serial);
}
