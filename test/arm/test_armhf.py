#!/usr/bin/python3
"""The product for 32-bit ARM with hard float (Raspberry Pi OS, Debian's armhf): everything is compiled and linked, and the unit
programs that neither depend on time nor start other programs are run with qemu-arm. test_units.py runs the others.

TEST-TIMEOUT: 900
"""

import re
import subprocess

import emulated
from report import Report

# What is left to test_units.py: conversations over sockets with their deadlines, and programs that start programs, for which
# the emulator needs help from the kernel.
LATER = {"attack", "beside_builds", "big_brother", "client", "cloud_gazer", "driver_failures", "driver_swap", "ends", "fault", "idl",
         "isolate", "mailbox", "mr_chase", "out_of_tree", "peers", "port", "port_hostile", "runtime", "signals", "site", "slave_driver",
         "storm", "swap", "transfer", "writers", "zap"}


# The C library's functions for files and times of 32 bits: everything must use those for 64 (stat is __stat64_time64 then).
NARROW = set("stat lstat fstat fstatat open openat creat fopen freopen readdir readdir_r scandir nftw lseek fseeko ftello pread "
             "pwrite truncate ftruncate fallocate posix_fallocate mmap statvfs fstatvfs mkstemp getrlimit setrlimit sendfile "
             "time clock_gettime gettimeofday gmtime gmtime_r localtime localtime_r mktime timegm ctime difftime nanosleep "
             "clock_nanosleep utimes utimensat futimens select ppoll timerfd_settime pthread_cond_timedwait".split())
# Functions of other libraries that take or give a time_t or off_t, which have 32 bits there (docs/arm.md).
BORDER = re.compile(r"archive_(entry|read_disk|match)_.*(time|birth)|archive_read_open_file$|gz(seek|tell|offset|open)(64)?$|"
                    r"(crc32|adler32)_combine|curl_getdate|MHD_create_response_from_fd_at_offset$|elf_(update|begin_time)|"
                    r"ASN1_(TIME|UTCTIME|GENERALIZEDTIME)_(set|adj)|X509_(cmp_time|time_adj)|OPENSSL_gmtime|lo_|PQsocketPoll")


def imports(path):
    """Names of functions that a program or library takes from elsewhere."""
    done = subprocess.run([f"{emulated.ARMHF.cross}nm", "--dynamic", "--undefined-only", path], capture_output=True, text=True,
                          check=True)
    return {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}


def widths(report):
    """All that is installed has files and times of 64 bits, and keeps away from libraries that haven't."""
    built = emulated.ARMHF.build
    files = [*built.glob("bin/*"), *built.glob("plugins/*.so"), built / "lib" / "libpiw.so"]
    narrow = {path.name: found for path in files if (found := imports(path) & NARROW)}
    report.check(f"armhf.files and times have 64 bits ({len(files)} files)", len(files) > 20 and not narrow, narrow)
    border = {path.name: found for path in files if (found := {name for name in imports(path) if BORDER.match(name)})}
    report.check("armhf.no library is handed a time or a file's size of another width", not border, border)


def words(report):
    """What make would run: this machine's own compiler makes piw-idl and nothing else, its archiver nothing at all."""
    done = subprocess.run(["make", "-n", "-B", f"CROSS={emulated.ARMHF.cross}", "B=build/arm/none", "all", "unit-programs"],
                          cwd=emulated.ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.replace("\\\n", " ").splitlines()
    own = [line for line in lines if re.search(r"(^|&& )(gcc|cc|ar|ld|ranlib|strip) ", line)]
    others = [line for line in lines if f"{emulated.ARMHF.cross}ar rcs" in line]
    report.check("armhf.only piw-idl is made with this machine's tools",
                 len(own) == 1 and "host/bin/piw-idl" in own[0] and len(others) > 3, own)


def armhf(report):
    words(report)
    if not report.build(emulated.ARMHF):
        return
    facts = emulated.elf_facts(emulated.ARMHF.build / "bin" / "piw-slave")
    report.check("armhf.hard float", "hard-float ABI" in facts, facts)
    widths(report)
    report.units(emulated.ARMHF, [name for name in emulated.units() if name.removeprefix("test_") not in LATER])


Report().run(armhf)
