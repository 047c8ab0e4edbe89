/* The echo service, first version. */
#define ECHO_VERSION      1
#define ECHO_VERSION_TEXT "1"
#include "echo_body.h"

ECHO_PLUGIN(echo, );
