/* sandbox.h — what contains a build: bubblewrap, where it can be had.
 *
 * pip itself runs in an outer sandbox: the system read-only, of everything else only the build's folder, and the network,
 * by which it fetches. Whatever pip starts is code of packages, and runs in an inner sandbox: without network, without
 * pip's own folders (docs/security.md#a-builds-own-harm). */
#ifndef SLAVE_SANDBOX_H
#define SLAVE_SANDBOX_H

#include "slave.h"

/* Words of a command line; each is owned. `at` ends with a NULL. */
typedef struct slave_words {
    char **at;
    size_t count;
} slave_words;
void slave_words_add(slave_words *words, const char *const *more); /* ends with a NULL */
void slave_words_fini(slave_words *words);

typedef struct slave_sandbox slave_sandbox;

/* Find out by trying, in a folder as of a build, whether builds can be contained here. PIW_EREFUSED: they can't; `err`
 * says why. Settings and `key_file` (NULL: none) are read now only. */
int slave_sandbox_open(slave_sandbox **sandbox, const slave_settings *settings, const char *key_file, piw_err *err);
void slave_sandbox_close(slave_sandbox **sandbox);

/* Make in a build's folder those that pip and packages have there, with a sandbox and without. */
int slave_sandbox_make(const char *folder, piw_err *err);

/* "bwrap … python …", to which pip's own words are added, for a build in `folder`. */
void slave_sandbox_pip(const slave_sandbox *sandbox, const char *folder, slave_words *words);
/* "bwrap … --", to which the words of a command are added that sees of all that isn't the system only `folder`, and no
 * network. */
void slave_sandbox_alone(const slave_sandbox *sandbox, const char *folder, slave_words *words);

#endif
