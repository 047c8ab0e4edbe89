/* The echo service, second version: as good, and with one difference that can be seen. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#include "echo_body.h"

ECHO_PLUGIN(echo, );
