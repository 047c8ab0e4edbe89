/* names.h — package names as PyPI spells and as the farm keys them (PEP 503, PEP 508).
 *
 * A canonical name is 1 to 200 characters of a-z, 0-9 and single '-' between them, so it is safe as a path component.
 * Any thread. */
#ifndef SHARED_NAMES_H
#define SHARED_NAMES_H

#include "piw/base.h"

enum { PIW_NAME_MAX = 200 }; /* characters: the width of packages.package */

/* Canonicalise a spelling into `to` (PIW_NAME_MAX + 1 bytes, NUL-terminated): lower case, runs of '-' '_' '.' become one
 * '-'. False, with `to` empty, when it isn't a project name: empty, longer than PIW_NAME_MAX, other characters, or not
 * beginning and ending with a letter or digit. */
bool piw_name_canonical(piw_text spelling, char *to);
/* Is this a canonical name already? */
bool piw_name_is_canonical(piw_text name);
/* Do both spellings canonicalise, and to the same name? */
bool piw_name_same(piw_text a, piw_text b);
/* Is `alias` a spelling of the canonical `package`, other than the canonical one? Such a text is safe as a path
 * component too. */
bool piw_alias_valid(piw_text alias, piw_text package);

/* Is it a name of a Debian package (Debian Policy 5.6.7), maybe with ":ARCHITECTURE"? It stands in a command that people copy. */
bool piw_name_is_debian(piw_text name);

#endif
