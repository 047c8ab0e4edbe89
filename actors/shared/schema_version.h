/* schema_version.h — the versions of the database's two schemas that this build works with (schema/). */
#ifndef SHARED_SCHEMA_VERSION_H
#define SHARED_SCHEMA_VERSION_H

#define STOCK_SCHEMA_VERSION "0.23" /* public: of the release that everybody speaks to */
enum { PIW_SCHEMA_VERSION = 6 };    /* piw: our own; also in schema/piw.sql */

#endif
