/* web_agent.h — what installers tell of themselves in their user agent: pip and uv, as a JSON object. Any thread. */
#ifndef SHARED_WEB_AGENT_H
#define SHARED_WEB_AGENT_H

#include "piw/msg.h"

/* In the order of the fields of download and search. */
typedef enum {
    PIW_FACT_ARCH,
    PIW_FACT_DISTRO_NAME,
    PIW_FACT_DISTRO_VERSION,
    PIW_FACT_OS_NAME,
    PIW_FACT_OS_VERSION,
    PIW_FACT_PY_NAME,
    PIW_FACT_PY_VERSION,
    PIW_FACT_INSTALLER_NAME,
    PIW_FACT_INSTALLER_VERSION,
    PIW_FACT_SETUPTOOLS_VERSION,
    PIW_FACTS,
} piw_agent_fact;

/* Texts in the arena of `msg`, null where the agent doesn't tell, each fit for its column. */
void piw_agent_facts(piw_msg *msg, piw_text agent, piw_text facts[PIW_FACTS]);
bool piw_agent_is(piw_text agent, const char *prefix);
/* Bytes from outside as text of at most `chars` characters: bad UTF-8 and control characters become U+FFFD. */
piw_text piw_agent_text(piw_msg *msg, const char *bytes, size_t len, uint32_t chars);

#endif
