/* An echo that refuses every second call of sender 0. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_ERRS_EVERY   2
#include "echo_body.h"

ECHO_PLUGIN(echo, );
