/* An echo that needs the relay, which needs echo: a cycle. */
#define ECHO_VERSION      1
#define ECHO_VERSION_TEXT "1"
static const char *const needs_relay[] = {"relay", 0};
#include "echo_body.h"

ECHO_PLUGIN(echo, .needs = needs_relay);
