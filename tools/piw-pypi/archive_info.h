/* archive_info.h — the core metadata inside an archive: a source archive's PKG-INFO, a wheel's METADATA. */
#ifndef PYPI_ARCHIVE_INFO_H
#define PYPI_ARCHIVE_INFO_H

#include "shared/metadata.h"

/* Is this the name of a source archive (.tar.gz, .zip), or of a wheel? */
bool pypi_is_sdist(const char *filename);
bool pypi_is_wheel(const char *filename);
/* Read and parse it; the caller ends *metadata with piw_metadata_fini. PIW_EREFUSED: not such an archive. */
int pypi_archive_info(const char *path, bool sdist, piw_metadata *metadata, piw_err *err);

#endif
