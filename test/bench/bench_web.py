#!/usr/bin/python3
"""The embedded web server beside nginx, over the same files, in turn: index pages of one package a second, as pip asks for them
(what is asked for goes to the database), and wheels in MB a second. Each server is one process with one thread for it; wrk,
with a thread of its own, asks. nginx is set up as packaging/nginx says, with the rest as Debian has it.

test/bench/bench_web.py [tiny | small]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import os
import re
import statistics
import subprocess
import sys

import rig

import farm as farms
import webs

SCALES = {"": (5, 5), "small": (3, 3), "tiny": (1, 1)}  # turns, seconds
CONNECTIONS = 16
PIP = ('pip/25.1 {"ci":null,"cpu":"armv7l","distro":{"id":"bookworm","libc":{"lib":"glibc","version":"2.36"},"name":"Debian",'
       '"version":"12"},"implementation":{"name":"CPython","version":"3.11.2"},"installer":{"name":"pip","version":"25.1"},'
       '"openssl_version":"OpenSSL 3.0.15","python":"3.11.2","system":{"name":"Linux","release":"6.6.51"}}')
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
FILE = {"filename": "load-1.0-cp311-cp311-linux_armv7l.whl", "size": 20000000}
WHEEL_MB = 20


def make_site(farm):
    folder = farm.www / "simple" / "load"
    folder.mkdir(parents=True)
    page = ('{"meta": {"api-version": "1.4"}, "name": "load", "files": [' + ", ".join([str(FILE).replace("'", '"')] * 60) + "]}").encode()
    (folder / "index.v1.json").write_bytes(page)
    (folder / "index.html").write_bytes(b"<!DOCTYPE html>" + page)
    (folder / FILE["filename"]).write_bytes(os.urandom(WHEEL_MB * 1000 * 1000))
    return len(page)


def ask(port, path, seconds):
    """Requests and bytes a second, as wrk counts them."""
    done = subprocess.run(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-H", f"Accept: {ACCEPT}", "-H", f"User-Agent: {PIP}",
                           f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, text=True, timeout=60 + seconds, check=True).stdout
    wrong = re.search(r"Non-2xx.*|Socket errors.*", done)
    if wrong:
        raise farms.Failure(f"{path}: {wrong[0]}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1])
    amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)(\w+)", done).groups()
    return rate, float(amount) * {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit] / 1e6


def measure(name, unit, which, path, ports, turns, seconds):
    """In turn, for others use the machine too; the middle of each."""
    taken = []
    for _ in range(turns):
        values = [ask(port, path, seconds)[which] for port in ports]
        rig.say(f"{name}: {rig.number(values[0])} {unit}, nginx {rig.number(values[1])}")
        taken.append(values)
    rig.line(name, statistics.median(ours for ours, _ in taken), unit, statistics.median(theirs for _, theirs in taken))


def main():
    args = rig.arguments(__doc__, SCALES)
    turns, seconds = SCALES[args.scale]
    with farms.Farm() as farm:
        farm.task_options["web_server"] = {"listen": "127.0.0.1:0"}
        farm.prepare()
        rig.say(f"an index page of {make_site(farm)} bytes, a wheel of {WHEEL_MB} MB, {CONNECTIONS} connections")
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        farm.start_master()
        ports = [farm.own_web(), webs.Nginx(farm).start().port]
        measure("web_index", "requests/s", 0, "/simple/load/", ports, turns, seconds)
        measure("web_wheel", "MB/s", 1, f"/simple/load/{FILE['filename']}", ports, turns, seconds)
        rig.say(f"{farm.value('SELECT count(*) FROM searches')} searches and {farm.value('SELECT count(*) FROM downloads')} downloads were recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
