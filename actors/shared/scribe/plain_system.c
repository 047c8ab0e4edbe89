/* plain_system.c — which Debian packages every system has that could use a wheel. The database has a table of what slaves found
 * preinstalled, but only once somebody has filled it. */
#include "plain_system.h"

/* Of Debian 10 to 13 and Raspberry Pi OS: libraries of packages that are essential or of priority required, of apt, and of python3.
 * Where a library has another name in each release, all of them. */
static const char *const names[] = {
    "base-files",      "bash",
    "coreutils",       "dpkg",
    "gcc-10-base",     "gcc-12-base",
    "gcc-14-base",     "gcc-8-base",
    "gcc-9-base",      "libacl1",
    "libapt-pkg5.0",   "libapt-pkg6.0",
    "libapt-pkg7.0",   "libattr1",
    "libblkid1",       "libbz2-1.0",
    "libc-bin",        "libc6",
    "libcap2",         "libcom-err2",
    "libcrypt1",       "libdb5.3",
    "libdb5.3t64",     "libexpat1",
    "libffi6",         "libffi7",
    "libffi8",         "libgcc-s1",
    "libgcc1",         "libgcrypt20",
    "libgmp10",        "libgnutls30",
    "libgnutls30t64",  "libgpg-error0",
    "libhogweed4",     "libhogweed5",
    "libhogweed6",     "libhogweed6t64",
    "libidn2-0",       "liblz4-1",
    "liblzma5",        "libmount1",
    "libmpdec2",       "libmpdec3",
    "libmpdec4",       "libncursesw6",
    "libnettle6",      "libnettle7",
    "libnettle8",      "libnettle8t64",
    "libnsl2",         "libp11-kit0",
    "libpam0g",        "libpcre2-8-0",
    "libpcre3",        "libpython3-stdlib",
    "libreadline7",    "libreadline8",
    "libreadline8t64", "libseccomp2",
    "libselinux1",     "libsmartcols1",
    "libsqlite3-0",    "libssl1.1",
    "libssl3",         "libssl3t64",
    "libstdc++6",      "libsystemd0",
    "libtasn1-6",      "libtinfo6",
    "libtirpc3",       "libtirpc3t64",
    "libudev1",        "libunistring2",
    "libunistring5",   "libuuid1",
    "libxxhash0",      "libzstd1",
    "ncurses-base",    "perl-base",
    "python3",         "python3-minimal",
    "readline-common", "tar",
    "util-linux",      "zlib1g",
};

bool plain_system_has(piw_text name)
{
    const char *colon = memchr(name.s, ':', name.len);
    if (colon != NULL)
        name.len = (uint32_t)(colon - name.s);
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        if (strlen(names[i]) == name.len && memcmp(names[i], name.s, name.len) == 0)
            return true;
    }
    return false;
}
