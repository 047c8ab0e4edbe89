#!/usr/bin/python3
"""`make run`: from nothing to an imported C extension, then running until Ctrl+C, with something new now and then; a second one
meanwhile is refused; nothing stays behind. With ONCE=1 it ends by itself, and its site is kept. PYPI=real without a network ends with one clear line.

TEST-TIMEOUT: 600
"""

import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import farm as farms
import score
from score import check

SITE = ("index.html", "packages.html", "faq.html", "json.html", "stats.html", "404.html", "sitemap.xml", "sitemap0.xml",
        "packages.json", "search/index.json", "simple/index.html", "simple/index.v1.json", "simple/piwdemo-cext/index.html",
        "simple/piwdemo-cext/index.v1.json", "project/piwdemo-cext/index.html", "feeds/new.atom")
DEMO = farms.ROOT / "tools" / "demo" / "run"


def environment(link, **more):
    env = {**os.environ, "B": str(farms.BUILD), "RUN_LINK": str(link), "PORT": "0", **more}
    for name in ("ONCE", "PYPI"):
        if name not in more:
            env.pop(name, None)
    return env


def read_until(process, pattern, timeout):
    """What the process printed up to a line that matches; None when it doesn't come."""
    said, until = "", time.monotonic() + timeout
    while time.monotonic() < until:
        if select.select([process.stdout], [], [], 0.2)[0]:
            piece = os.read(process.stdout.fileno(), 65536).decode("utf-8", "replace")
            said += piece
            if re.search(pattern, said):
                return said
            if not piece:
                break
    check("demo.says " + pattern, False, said)
    return None


def test_run(link):
    with subprocess.Popen([DEMO], env=environment(link), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            said = read_until(process, r"cp SOME", 480)
            if said is None:
                return
            check("demo.imported", "imported    piwdemo_cext 0.3 squeezed 1000 bytes to" in said, said)
            check("demo.failed build is told", re.search(r"failed +piwdemo-broken 2.0", said), said)
            url = re.search(r"web server at (http://\S+)", said).group(1)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{url}/simple/", timeout=30) as page:
                check("demo.index", b"piwdemo-cext" in page.read())
            for path in ("/", "/faq.html", "/project/piwdemo-cext/"):
                with opener.open(url + path, timeout=30) as page:
                    check(f"demo.what {path} has to paste works here", f"--extra-index-url {url}/simple " in page.read().decode())
            place = os.readlink(link)
            check("demo.link", (pathlib.Path(place) / "www" / "simple").is_dir(), place)
            check("demo.something new", read_until(process, r"built +piwdemo-pure 9\.1 ", 120))
            second = subprocess.run([DEMO], env=environment(link), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=60, check=False)
            check("demo.second one", second.returncode == 1 and "running already" in second.stderr, second)
            process.send_signal(signal.SIGINT)
            check("demo.exit", process.wait(60) == 0, process.returncode)
            check("demo.nothing left", not link.is_symlink() and not os.path.exists(place), place)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def test_once(link):
    """What a run before has kept makes room."""
    link.mkdir()
    (link / "kept-by-make-run").touch()
    (link / "www").mkdir()
    (link / "www" / "old").touch()
    done = subprocess.run([DEMO], env=environment(link, ONCE="1"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=480, check=False)
    check("once.ends", done.returncode == 0, done)
    kept = link / "www"
    missing = [name for name in SITE if not (kept / name).is_file()]
    check("once.the site is kept", not missing and not (kept / "old").exists(), missing)
    told = {name: (kept / name).read_text("utf-8") for name in ("index.html", "packages.json", "sitemap1.xml", "stats.html")}
    check("once.what it tells isn't what was before the builds", "<strong>2</strong> so far" in told["index.html"] and
          all(f'href="project/piwdemo-{name}/"' in told["index.html"] for name in ("broken", "cext", "pure")) and
          "<dd>3</dd>" in told["stats.html"] and told["packages.json"].count("piwdemo-") == 3 and
          told["sitemap1.xml"].count("/project/piwdemo-") == 3 and "feeds/new.atom" in told["index.html"], told)
    check("once.without the master's own", not [path.name for path in kept.iterdir() if path.name.startswith(".")])


def test_stale(link):
    """What a killed farm left doesn't stand in the way; a folder of somebody's does. Both end before anything starts."""
    link.symlink_to("/tmp/piw-gone")
    done = subprocess.run([DEMO], env=environment(link, PYPI="real", https_proxy="http://127.0.0.1:9"), capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=120, check=False)
    lines = done.stderr.strip().splitlines()
    check("real.unreachable", done.returncode == 1 and len(lines) == 1 and "can't be reached" in lines[0], done)
    link.mkdir()
    done = subprocess.run([DEMO], env=environment(link), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    check("folder in the way", done.returncode == 1 and "in the way" in done.stderr, done)
    link.rmdir()


def main():
    if farms.SANITIZED:
        score.skip("demo", "what it runs is tested sanitized by test_line.py")
        return 0
    with tempfile.TemporaryDirectory(prefix="piw-", dir="/tmp") as folder:
        link = pathlib.Path(folder) / "run"
        test_stale(link)
        test_run(link)
        test_once(link)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
