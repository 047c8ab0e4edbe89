/* version.h — versions in the order of PEP 440.
 *
 * A version becomes a key: bytes whose memcmp order is the order of versions, and which are the same for versions that
 * compare equal (1.0, 1.0.0, v1). Texts that aren't PEP 440 versions come before all that are, in the order of their
 * text. Any thread. */
#ifndef SHARED_VERSION_H
#define SHARED_VERSION_H

#include "piw/base.h"

enum {
    PIW_VERSION_MAX = 200,     /* characters: the width of versions.version */
    PIW_VERSION_KEY_MAX = 640, /* no key of a text of PIW_VERSION_MAX bytes is longer (3 bytes a digit or separator) */
};

typedef struct piw_version {
    bool valid;      /* is a PEP 440 version */
    bool prerelease; /* has an alpha, beta, rc or dev part (false when not valid) */
    uint16_t len;
    uint8_t key[PIW_VERSION_KEY_MAX];
} piw_version;

/* Never fails: what doesn't parse is a legacy version. Texts longer than PIW_VERSION_MAX bytes are legacy and compared by
 * their first PIW_VERSION_MAX bytes. */
void piw_version_parse(piw_text text, piw_version *version);
/* < 0, 0, > 0 as a is older than, equal to, newer than b. */
int piw_version_compare(const piw_version *a, const piw_version *b);
/* The same for texts, parsing both. */
int piw_version_compare_text(piw_text a, piw_text b);
bool piw_version_prerelease(piw_text text);
/* Is this a version by PEP 440? Of others (legacy ones) installers read no wheel's name. */
bool piw_version_valid(piw_text text);
/* Does the version part of a wheel's name or of a .dist-info (where '-' is written '_') name this version? */
bool piw_version_matches_tag(piw_text version, piw_text tag);
/* May this text be a version at all: 1 to PIW_VERSION_MAX characters that are safe as one name in a path (site_path.h), so
 * neither "." nor ".."? What comes from a queue or from the database and isn't goes no further. */
bool piw_version_acceptable(piw_text text);

#endif
