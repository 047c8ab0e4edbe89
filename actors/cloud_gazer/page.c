/* page.c — reads the status of a project from its page of the Simple API: {"project-status": {"status": TEXT, …}, …} */
#include "cloud_gazer/page.h"

#include "cloud_gazer/json_reader.h"
#include "piw/codec.h"
#include "shared/names.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOP = 1, SECOND };

struct gazer_page {
    gazer_json_reader reader;
    bool in_status, next; /* within project-status; the value to come is its status */
    char status[32];
    char what[PIW_NAME_MAX + 32];
};

static int on_key(void *arg, const unsigned char *text, size_t len)
{
    gazer_page *self = arg;
    piw_text word = {(const char *)text, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX};
    if (self->reader.depth == TOP)
        self->in_status = piw_text_is(word, "project-status");
    self->next = self->reader.depth == SECOND && self->in_status && piw_text_is(word, "status");
    return 1;
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
    gazer_page *self = arg;
    if (self->next && len < sizeof(self->status)) {
        memcpy(self->status, text, len);
        self->status[len] = '\0';
    }
    self->next = false;
    return 1;
}

static int on_other(void *arg)
{
    ((gazer_page *)arg)->next = false;
    return 1;
}

static int on_boolean(void *arg, int value)
{
    (void)value;
    return on_other(arg);
}

static int on_number(void *arg, const char *text, size_t len)
{
    (void)text, (void)len;
    return on_other(arg);
}

static int on_map(void *arg)
{
    on_other(arg);
    return gazer_json_enter(&((gazer_page *)arg)->reader, true);
}

static int on_array(void *arg)
{
    on_other(arg);
    return gazer_json_enter(&((gazer_page *)arg)->reader, false);
}

static int on_end(void *arg)
{
    gazer_json_leave(&((gazer_page *)arg)->reader);
    return 1;
}

static const yajl_callbacks callbacks = {.yajl_null = on_other,
                                         .yajl_boolean = on_boolean,
                                         .yajl_number = on_number,
                                         .yajl_string = on_string,
                                         .yajl_start_map = on_map,
                                         .yajl_map_key = on_key,
                                         .yajl_end_map = on_end,
                                         .yajl_start_array = on_array,
                                         .yajl_end_array = on_end};

gazer_page *gazer_page_new(const char *package)
{
    gazer_page *self = piw_zalloc(sizeof(*self));
    snprintf(self->what, sizeof(self->what), "PyPI's page of %s", package);
    if (!gazer_json_open(&self->reader, self->what, GAZER_PAGE_BYTES, &callbacks, self)) {
        free(self);
        return NULL;
    }
    return self;
}

void gazer_page_free(gazer_page **page)
{
    if (*page == NULL)
        return;
    gazer_json_close(&(*page)->reader);
    free(*page);
    *page = NULL;
}

int gazer_page_feed(gazer_page *page, const void *data, size_t len, piw_err *err)
{
    return gazer_json_feed(&page->reader, data, len, err);
}

int gazer_page_end(gazer_page *page, piw_err *err)
{
    return gazer_json_end(&page->reader, err);
}

const char *gazer_page_status(const gazer_page *page)
{
    return page->status;
}
