/* An echo whose start refuses, after it has done things that must be undone. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_BAD_START
#include "echo_body.h"

ECHO_PLUGIN(echo, );
