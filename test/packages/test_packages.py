#!/usr/bin/python3
"""The packages, as docs/install.md says, from a clean checkout in a clean Debian: they are built, lintian finds no error in them, apt
installs them, piw-setup makes a farm that builds, pip takes a wheel from its site, everything repeats without harm, and removing
them leaves the operator's data. Installed over a farm of an earlier revision, which had no packages, they keep what it has. And
they are built for other machines.

The root comes from debootstrap with this machine's apt configuration, and is kept in build/packages/ for the next run. What runs in
it has a network of its own (but for apt), so its ports are nobody else's, and a process namespace that ends with the test.

TEST-TIMEOUT: 5400
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "system"))
sys.dont_write_bytecode = True
import one_maker  # pylint: disable=wrong-import-position

KEPT = ROOT / "build" / "packages"
TMP = pathlib.Path(os.environ.get("PIW_TMP") or "/tmp")
PACKAGES = ("libpiw1", "libpiw-dev", "piwheels-master", "piwheels-slave", "piwheels-tools")
# What the packages and builds need of Debian: installed once into the kept root.
DEBIAN = ("adduser postgresql nginx-light python3 python3-pip python3-dev python3-setuptools python3-wheel gcc libc6-dev iproute2 "
          "man-db").split()
WHEELHOUSE = pathlib.Path("/usr/share/python-wheels")
# The second needs this version of the first, which is an extension in C.
SAMPLES = {"piwdemo-cext": "piwdemo_cext-0.3-", "piwdemo-pure": "-1.0-py3-none-any.whl"}
FIXTURE = ROOT / "test" / "golden" / "upgrade-40b4f6b.tar.xz"
CROSS = {"armhf": "ARM", "arm64": "AArch64"}
# What debian/control has in Build-Depends.
LIBRARIES = ("libarchive-dev libcbor-dev libcjson-dev libcurl4-openssl-dev libdeflate-dev libelf-dev libexpat1-dev libmicrohttpd-dev libmsgpack-dev "
             "libncurses-dev libpq-dev libssl-dev libyajl-dev libzmq3-dev zlib1g-dev").split()
PYPI_PORT = 8123
SITE = "http://127.0.0.1/simple/"
BOUND_S = 300

failures = 0


class Failure(Exception):
    """The rest can't be tried."""


class Missing(Exception):
    """What this machine hasn't: the reason of a skip."""


def check(name, good, why=""):
    global failures
    if good:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        print(f"not ok {name} - {str(why).strip()[-1500:]}", flush=True)
    return good


def run(command, bound=BOUND_S, **more):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=bound, check=False, **more)


def wait(what, condition, bound=BOUND_S):
    until = time.monotonic() + bound
    while not condition():
        if time.monotonic() > until:
            raise Failure(f"{what}: not within {bound} s")
        time.sleep(0.2)


# --- The packages are made ---------------------------------------------------------------------------------------------------------

def copy_source(source):
    """As a clone, so that nothing of this tree but what is committed or in the index takes part."""
    source.mkdir(parents=True)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name, follow_symlinks=False)


def build():
    source = TMP / "src" / "piwheels"
    copy_source(source)
    done = run(["dpkg-buildpackage", "-b", "-us", "-uc"], 3000, cwd=source, env={**os.environ, "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}"})
    if not check("dpkg-buildpackage", done.returncode == 0, done.stdout):
        raise Failure("there are no packages")
    made = source.parent
    changes = list(made.glob("*.changes"))
    done = run(["lintian", "--fail-on", "error", *changes], 900)
    check("lintian", done.returncode == 0, done.stdout)
    names = {path.name.split("_")[0] for path in made.glob("*.deb")}
    check("packages", set(PACKAGES) <= names, names)
    version = re.search(r'PIW_VERSION +"(.*)"', (ROOT / "core/piw/version.h").read_text()).group(1)
    check("version", all(f"_{version}_" in path.name for path in made.glob("*.deb")), names)
    return made


# --- A clean Debian ------------------------------------------------------------------------------------------------------------------

def clean_root(name="root"):
    return root_with("root", name, True, ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *DEBIAN])


def make_root(folder, sources, commands):
    part = folder.with_name(f"{folder.name}.part")
    wrong = one_maker.debian("bookworm", part)
    if wrong:
        raise Missing(f"debootstrap failed: {wrong}")
    configure_apt(part, sources)
    root = Root(part)
    for command in (["apt-get", "-qq", "update"], *commands):
        done = root.run(command, bound=1800, network=True)
        if done.returncode != 0:
            raise Missing(f"Debian's packages can't be installed: {(done.stdout.strip().splitlines() or ['no reason given'])[-1]}")
    part.rename(folder)


def root_with(kept_name, name, sources, *commands):
    """A copy of the kept root of that name, which is made when it isn't there: with this machine's sources of packages, or only the
    release itself, and what the commands install in it."""
    folder = KEPT / kept_name
    with one_maker.alone(KEPT):
        if not folder.is_dir():
            make_root(folder, sources, commands)
    own = TMP / name
    done = run(["cp", "-a", "--reflink=auto", folder, own])
    if done.returncode != 0:
        raise Failure(done.stdout)
    return Root(own)


def configure_apt(folder, sources):
    """This machine's way to Debian, whatever that is."""
    if sources:
        (folder / "etc/apt/sources.list").unlink(missing_ok=True)
    for part in (*(("sources.list", "sources.list.d") if sources else ()), "apt.conf", "apt.conf.d"):
        path = pathlib.Path("/etc/apt") / part
        if path.is_dir():
            shutil.copytree(path, folder / "etc/apt" / part, dirs_exist_ok=True)
        elif path.exists():
            shutil.copy2(path, folder / "etc/apt" / part)
    shutil.copy2("/etc/resolv.conf", folder / "etc/resolv.conf")
    # Nothing may be started by apt: each command has its own process namespace.
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


class Root:
    """Commands in it. Once namespaces are held others enter those, but for those that need the network."""

    def __init__(self, folder):
        self.folder = folder
        self.keeper = None

    def command(self, words, network=False):
        if self.keeper is None or network:
            spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
            up = "" if network else "ip link set lo up; "
            return [*spaces, *([] if network else ["--net"]), "chroot", self.folder, "/bin/sh", "-c",
                    f'mount -t proc proc /proc; {up}exec "$@"', "sh", *words]
        return ["nsenter", "--target", str(self.inner), "--mount", "--pid", "--net", "chroot", self.folder, *words]

    def env(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}

    def run(self, words, bound=BOUND_S, network=False):
        return run(self.command(words, network), bound, env=self.env())

    def start(self, words, log):
        with open(log, "w", encoding="utf-8") as file:
            return subprocess.Popen(self.command(words), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=self.env())

    def hold(self):
        """Namespaces that outlive single commands."""
        pidfile = self.folder / "tmp/held"
        self.keeper = subprocess.Popen(self.command(["sh", "-c", "touch /tmp/held; exec sleep infinity"]), env=self.env())
        wait("namespaces", pidfile.exists)
        children = pathlib.Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text().split()
        self.inner = int(children[0])

    def release(self):
        if self.keeper is not None:
            self.keeper.kill()  # its child goes with it
            self.keeper.wait(60)
            self.keeper = None


# --- In the order of the documents ---------------------------------------------------------------------------------------------------

def complaints(page):
    """What man says of a page beside showing it."""
    return subprocess.run(["man", "--warnings", "-l", page], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, timeout=BOUND_S, check=False, env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}).stderr


def install(root, made):
    shutil.copytree(made, root.folder / "debs", ignore=lambda _f, names: [name for name in names if not name.endswith(".deb") or "dbgsym" in name])
    debs = [f"/debs/{path.name}" for path in sorted((root.folder / "debs").glob("*.deb"))]
    done = root.run(["apt-get", "-qq", "-y", "--no-install-recommends", "install", *debs], 900, network=True)
    if not check("apt-get install", done.returncode == 0, done.stdout):
        raise Failure("the packages aren't installed")
    for user in ("piwheels", "piwheels-slave"):
        check(f"user {user}", root.run(["id", user]).returncode == 0)
    for program in sorted(path.name for path in (root.folder / "usr/bin").glob("piw-*")):
        done = root.run([program, "--version"])
        check(f"{program} runs", done.returncode == 0, done.stdout)
        page = root.folder / f"usr/share/man/man1/{program}.1.gz"
        check(f"{program}'s page", page.exists() and not complaints(page), page.exists() and complaints(page))
    page = root.folder / "usr/share/man/man5/piwheels.conf.5.gz"
    check("piwheels.conf's page", page.exists() and not complaints(page), page.exists() and complaints(page))
    done = root.run(["bash", "-c", ". /usr/share/bash-completion/completions/piw-ctl; COMP_WORDS=(piw-ctl re) COMP_CWORD=1; _piw_ctl; "
                     "echo ${COMPREPLY[*]}"])
    check("bash completes a command", "replace" in done.stdout and "retry" in done.stdout, done.stdout)
    for command in ("zsh/vendor-completions/_piw-ctl",):
        check(command, (root.folder / "usr/share" / command).exists())


def start_pypi(root):
    folder = root.folder / "srv/pypi"
    folder.mkdir()
    done = run([ROOT / "test/sdists/pack", folder, *SAMPLES])
    if done.returncode != 0:
        raise Failure(done.stdout)
    # What pip builds with, from Debian's packages.
    for wheel in [*WHEELHOUSE.glob("setuptools-*.whl"), *WHEELHOUSE.glob("wheel-*.whl")]:
        shutil.copy(wheel, folder)
    root.start(["piw-pypi", "--port", str(PYPI_PORT), "--dir", "/srv/pypi"], TMP / "pypi.log")


def make_farm(root, log):
    return root.start(["piw-setup", "--yes", "--foreground", "--pypi", f"http://127.0.0.1:{PYPI_PORT}"], log)


def farm_builds(root):
    setup_log = TMP / "setup.log"
    farm = make_farm(root, setup_log)
    simple = root.folder / "var/www/piwheels/simple"

    def published():
        if farm.poll() is not None:
            raise Failure(f"piw-setup ended: {setup_log.read_text()}")
        return all((simple / name / "index.html").exists() and wheel in (simple / name / "index.html").read_text("utf-8")
                   for name, wheel in SAMPLES.items())
    wait("a wheel on the site", published, 600)
    check("piw-setup: a farm that builds", True)
    said = setup_log.read_text()
    for step in ("/etc/piwheels.conf", "role piwheels", "database piwheels", "/var/www/piwheels", "piw-master", "piw-slave"):
        check(f"piw-setup says {step}", step in said, said)
    sockets = root.run(["stat", "-c", "%A %U %G", "/run/piwheels", "/run/piwheels/status", "/run/piwheels/admin"]).stdout.split("\n")
    check("sockets", sockets[0] == "drwxr-s--- piwheels piwheels-monitor" and re.fullmatch(r"srwxrwxr-x piwheels piwheels-monitor", sockets[1])
          and sockets[2].startswith("srw-------"), sockets)
    return farm


def serve(root):
    conf = (root.folder / "usr/share/doc/piwheels-master/examples/nginx.conf").read_text().replace("root /var/www;", "root /var/www/piwheels;")
    (root.folder / "etc/nginx/conf.d/piwheels.conf").write_text(conf)
    (root.folder / "etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    done = root.run(["nginx"])
    check("nginx takes the example", done.returncode == 0, done.stdout)


def pip_takes_it(root, name):
    target = f"/tmp/{name}"
    done = root.run(["pip3", "install", "-q", "--no-cache-dir", "--index-url", SITE, "--only-binary", ":all:", "--target", target, "piwdemo-pure"])
    check(f"pip install, {name}", done.returncode == 0, done.stdout)
    done = root.run(["env", f"PYTHONPATH={target}", "python3", "-c", "import piwdemo_pure; print(piwdemo_pure.__version__)"])
    check(f"import, {name}", done.returncode == 0 and done.stdout.strip() in ("1.0", "1.1"), done.stdout)


def stop(farm, name, log="setup.log"):
    children = pathlib.Path(f"/proc/{farm.pid}/task/{farm.pid}/children").read_text().split()
    subprocess.run(["kill", "-TERM", *(children or [str(farm.pid)])], check=True)
    check(name, farm.wait(120) == 0, (TMP / log).read_text())


def again(root):
    before = (root.folder / "etc/piwheels.conf").read_text()
    log = TMP / "again.log"
    farm = make_farm(root, log)
    wait("the farm again", lambda: "piw-slave" in log.read_text() or farm.poll() is not None, 300)
    said = log.read_text()
    check("piw-setup again changes nothing", farm.poll() is None and "made " not in said and
          (root.folder / "etc/piwheels.conf").read_text() == before, said)
    stop(farm, "the second farm ends", "again.log")


def remove(root):
    done = root.run(["apt-get", "-qq", "-y", "--reinstall", "install", *[f"/debs/{path.name}" for path in
                     sorted((root.folder / "debs").glob("*.deb"))]], 600)
    check("installed over", done.returncode == 0, done.stdout)
    check("an upgrade keeps the configuration", (root.folder / "etc/piwheels.conf").exists())
    rows = root.run(["runuser", "-u", "postgres", "--", "psql", "-XAtc", "SELECT count(*) FROM builds", "piwheels"]).stdout.strip()
    check("an upgrade keeps the builds", rows.isdigit() and int(rows) > 0, rows)
    done = root.run(["dpkg", "--purge", *PACKAGES])
    check("purged", done.returncode == 0 and "warning" not in done.stdout, done.stdout)
    left = [name for name in ("usr/bin/piw-master", "usr/lib/piwheels", "etc/piwheels.conf", "run/piwheels", "usr/share/doc/piwheels-master",
                              "lib/systemd/system/piwheels-master.service") if (root.folder / name).exists()]
    check("nothing is left over", not left, left)
    check("the site stays", (root.folder / "var/www/piwheels/simple/piwdemo-pure").is_dir())


# --- Over a farm that was installed without packages --------------------------------------------------------------------------------

def in_database(root, sql):
    done = root.run(["runuser", "-u", "postgres", "--", "psql", "-XAtqv", "ON_ERROR_STOP=1", "-c", sql, "piwheels"])
    if done.returncode != 0:
        raise Failure(done.stdout)
    return done.stdout.split()


def farm_of_then(root):
    """Database, site and configuration as test/upgrade/make left them."""
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(root.folder / "srv/then")  # our own archive
    (root.folder / "srv/then/www").rename(root.folder / "var/www/piwheels")
    (root.folder / "etc/piwheels.conf").write_text(
        f"[master]\noutput-path = /var/www/piwheels\npypi-xmlrpc = http://127.0.0.1:{PYPI_PORT}/pypi\n"
        f"pypi-simple = http://127.0.0.1:{PYPI_PORT}/simple\n[slave]\nmaster = localhost\n")
    for command in (["adduser", "--system", "--quiet", "--group", "--home", "/var/lib/piwheels", "piwheels"],
                    ["chown", "-Rh", "piwheels:piwheels", "/var/www/piwheels"],
                    ["pg_ctlcluster", "15", "main", "start"],
                    ["runuser", "-u", "postgres", "--", "createuser", "piwheels"],
                    ["runuser", "-u", "postgres", "--", "createdb", "--encoding=UTF8", "--template=template0", "piwheels"],
                    ["runuser", "-u", "postgres", "--", "psql", "-Xqv", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", "/srv/then/dump.sql",
                     "piwheels"]):
        done = root.run(command)
        if done.returncode != 0:
            raise Failure(done.stdout)


def upgrades(made):
    root = clean_root("then")
    try:
        root.hold()
        farm_of_then(root)
        rows = "SELECT build_id || package || version || status FROM builds ORDER BY build_id"
        before, files = in_database(root, rows), in_database(root, "SELECT filename || filehash FROM files ORDER BY 1")
        configuration = (root.folder / "etc/piwheels.conf").read_text()
        install(root, made)
        done = root.run(["runuser", "-u", "postgres", "--", "piw-initdb", "--yes"])
        check("then: piw-initdb upgrades", done.returncode == 0, done.stdout)
        start_pypi(root)
        log = TMP / "setup.log"
        farm = make_farm(root, log)
        pages = root.folder / "var/www/piwheels/.pages"

        def renewed():
            if farm.poll() is not None:
                raise Failure(f"piw-setup ended: {log.read_text()}")
            return pages.exists() and re.fullmatch(r"form \d+\nall\n", pages.read_text())
        wait("the present form of all pages", renewed, 600)
        after = in_database(root, rows)
        check("then: builds are kept", before and set(before) <= set(after), set(before) - set(after))
        now = in_database(root, "SELECT filename || filehash FROM files ORDER BY 1")
        check("then: files are kept", files and set(files) <= set(now), set(files) - set(now))
        check("then: the configuration is kept", (root.folder / "etc/piwheels.conf").read_text() == configuration)
        serve(root)
        name = in_database(root, "SELECT package FROM files JOIN builds USING (build_id) WHERE filename LIKE '%-py3-none-any.whl' "
                           "ORDER BY 1 LIMIT 1")[0]
        done = root.run(["pip3", "install", "-q", "--no-cache-dir", "--no-deps", "--index-url", SITE, "--target", "/tmp/then", name])
        check("then: pip install", done.returncode == 0, done.stdout)
        stop(farm, "then: the farm ends")
    finally:
        root.release()
        shutil.rmtree(root.folder, ignore_errors=True)


# --- For another machine -----------------------------------------------------------------------------------------------------------------

def cross_root(arch):
    """A root of its own, to which the other machine is added: this machine's Debian stays as it is, and libpq-dev of two machines can't
    be installed beside each other. It has the release alone: libraries of both machines must have one version, and mirrors bring
    other suites up to date machine by machine."""
    return root_with(f"cross-{arch}", arch, False, ["dpkg", "--add-architecture", arch], ["apt-get", "-qq", "update"],
                     ["apt-get", "-qq", "-y", "--no-install-recommends", "install", "build-essential", "debhelper", "iproute2", "pkgconf", "python3",
                      f"crossbuild-essential-{arch}", *(f"{name}:{arch}" for name in LIBRARIES)])


def builds_for(arch, machine):
    root = cross_root(arch)
    try:
        copy_source(root.folder / "src/piwheels")
        done = root.run(["sh", "-c", f"cd /src/piwheels && DEB_BUILD_OPTIONS='parallel={os.cpu_count()}' dpkg-buildpackage -b -us -uc "
                         f"--host-arch={arch}"], 3000)
        made = list((root.folder / "src").glob(f"*_{arch}.deb"))
        if not check(f"{arch}: dpkg-buildpackage", done.returncode == 0 and {path.name.split("_")[0] for path in made} >= set(PACKAGES),
                     done.stdout):
            return
        run(["dpkg-deb", "-x", next(path for path in made if path.name.startswith("piwheels-master_")), TMP / f"of-{arch}"])
        told = run(["readelf", "-h", TMP / f"of-{arch}" / "usr/bin/piw-master"]).stdout
        check(f"{arch}: programs for it", machine in told, told)
        done = run(["lintian", "--fail-on", "error", *(root.folder / "src").glob("*.changes")], 900)
        check(f"{arch}: lintian", done.returncode == 0, done.stdout)
    finally:
        shutil.rmtree(root.folder, ignore_errors=True)


def main():
    root = None
    try:
        if os.geteuid() != 0:
            raise Missing("a root for packages takes root's rights")
        for tool in ("debootstrap", "dpkg-buildpackage", "lintian", "dh", "unshare", "nsenter", "man"):
            if not shutil.which(tool):
                raise Missing(f"{tool} isn't installed")
        made = pathlib.Path(os.environ["PIW_DEBS"]) if os.environ.get("PIW_DEBS") else build()
        root = clean_root()
        install(root, made)
        root.hold()
        start_pypi(root)
        farm = farm_builds(root)
        serve(root)
        pip_takes_it(root, "first")
        stop(farm, "the farm ends")
        again(root)
        remove(root)
        root.release()
        upgrades(made)
        for arch, machine in CROSS.items():
            builds_for(arch, machine)
    except Missing as error:
        print(f"skip packages - {error}")
    except (Failure, OSError, subprocess.SubprocessError) as error:
        check("packages", False, f"{type(error).__name__}: {error}")
    finally:
        if root is not None:
            root.release()
            shutil.rmtree(root.folder, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
