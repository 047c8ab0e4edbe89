/* agent.h — what installers tell of themselves in their user agent: pip and uv, as a JSON object. Any thread. */
#ifndef LOGGER_AGENT_H
#define LOGGER_AGENT_H

#include "piw/msg.h"

/* In the order of the fields of download and search. */
typedef enum {
    FACT_ARCH,
    FACT_DISTRO_NAME,
    FACT_DISTRO_VERSION,
    FACT_OS_NAME,
    FACT_OS_VERSION,
    FACT_PY_NAME,
    FACT_PY_VERSION,
    FACT_INSTALLER_NAME,
    FACT_INSTALLER_VERSION,
    FACT_SETUPTOOLS_VERSION,
    FACTS,
} agent_fact;

/* Texts in the arena of `msg`, null where the agent doesn't tell, each fit for its column. */
void agent_facts(piw_msg *msg, piw_text agent, piw_text facts[FACTS]);
bool agent_is(piw_text agent, const char *prefix);
/* Bytes from outside as text of at most `chars` characters: bad UTF-8 and control characters become U+FFFD. */
piw_text agent_text(piw_msg *msg, const char *bytes, size_t len, uint32_t chars);

#endif
