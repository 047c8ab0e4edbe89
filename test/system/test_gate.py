#!/usr/bin/python3
"""The wheel gate in a whole farm: each wheel of test/wheels comes from a slave and by import, and is published or refused as its
folder says. Beside that: the program that made them makes the same again; where libarchive, zipfile and packaging say
otherwise stands in docs/wheel-gate.md; a large library takes no memory to look at.

TEST-TIMEOUT: 900
"""

import base64
import contextlib
import gzip
import hashlib
import importlib.machinery
import importlib.util
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

import client
import farm as farms
import oracles
import score
import wheels
import wire
from score import check

FOLDER = farms.ROOT / "test" / "wheels"
TABLE = farms.ROOT / "docs" / "wheel-gate.md"
KINDS_MIN = 150
ABI = "cp311"


class Kind:
    def __init__(self, path):
        self.path, self.filename, self.verdict = path, path.name, path.parent.name
        self.parts = path.name.removesuffix(".whl").split("-")
        self.name, self.version = self.parts[:2]
        self.package = re.sub(r"[-_.]+", "-", self.name).lower()
        self.data = path.read_bytes()
        self.slaves_alone = self.name.startswith("slave_")

    def report(self):
        """What a slave or importer says of the file."""
        return [self.filename, len(self.data), wheels.sha256(self.data), self.name, self.version, *self.parts[-3:], None,
                {"apt": [], "pip": [], "": []}, "/simple"]

    def platform(self):
        """Of a slave that might have built it."""
        found = re.search(r"(aarch64|armv[67]l|i686|ppc64le|s390x|riscv64|toaster)$", self.parts[-1])
        return f"linux_{found[1] if found and not self.slaves_alone else 'x86_64'}"


KINDS = sorted((Kind(path) for verdict in ("take", "refuse") for path in (FOLDER / verdict).iterdir()), key=lambda kind: kind.name)


def test_made():
    check("made.enough kinds", len(KINDS) >= KINDS_MIN, len(KINDS))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, FOLDER / "make", folder], check=True, stdout=subprocess.DEVNULL)
        made = {path.name: path.read_bytes() for path in pathlib.Path(folder).glob("*/*")}
    check("made.the same again", made == {kind.filename: kind.data for kind in KINDS}, "run test/wheels/make")


# --- Other readers -----------------------------------------------------------------------------------------------------

ARCHIVES = re.compile(r"(name(?!__)|extra|wide|descriptor|local|crc|size|packed|gap|offset|members|count|archive|member|mode|attribute|folder"
                      r"|bomb)_|bomb$|data_(before|behind)_")
NAMES = re.compile(r"(version|build|tag|requires)_|name__")


def row_of(kind):
    """(what libarchive, zipfile, packaging say of it): "takes", "refuses", or "" of what they don't look at."""
    archives = kind.verdict == "take" or ARCHIVES.match(kind.name)
    names = kind.verdict == "take" or NAMES.match(kind.name)
    say = lambda asked, reader, *more: "" if not asked else "refuses" if reader(kind.data, *more) else "takes"
    return (say(archives, oracles.libarchive), say(archives, oracles.python_zipfile), say(names, oracles.packaging, kind.filename))


def test_oracles():
    found, wanted = {}, {"take": "takes", "refuse": "refuses"}
    for kind in KINDS:
        row = row_of(kind)
        if any(said not in ("", wanted[kind.verdict]) for said in row):
            name = re.sub(r"_\d+$", "", kind.name)
            found.setdefault((name, *row), []).append(kind)
    rows = {(name, *row): why for name, *row, why in re.findall(
        r"^\| `(\w+)` \| (\w*) \| (\w*) \| (\w*) \| (.+) \|$", TABLE.read_text("utf-8"), re.MULTILINE)}
    missing = [" | ".join(("`" + row[0] + "`", *row[1:])) for row in found if row not in rows]
    check("oracles.where they disagree is said", not missing, "docs/wheel-gate.md lacks: " + "; ".join(missing))
    check("oracles.and no more", not set(rows) - set(found), sorted(set(rows) - set(found)))
    check("oracles.with a reason", all(len(why) > 10 for why in rows.values()))


# --- Through a farm ----------------------------------------------------------------------------------------------------


def log_of(farm, number):
    text = f"{number:012}"
    path = farm.www / "logs" / text[:4] / text[4:8] / f"{text[8:]}.txt.gz"
    return gzip.decompress(path.read_bytes()).decode("utf-8", "replace") if path.exists() else ""


def add(farm, kinds):
    quoted = lambda text: "'" + text.replace("'", "''") + "'"
    farm.psql("".join(f"SELECT add_new_package({quoted(kind.package)});\nSELECT add_new_package_version({quoted(kind.package)}, "
                      f"{quoted(kind.version)}, TIMESTAMP '2024-03-01 12:00:00');\n" for kind in kinds))


def build_all(farm, platform, kinds):
    """One slave of that platform builds them all."""
    left = {kind.package: kind for kind in kinds}
    slave = wire.Builder(farm.dir / "s" / "slave", platform, ABI, platform=platform)
    while left:
        said = farm.wait("a build", lambda: (lambda said: said if said[0] == "BUILD" else None)(slave.idle()))
        kind = left.pop(said[1][0])
        said = slave.say("BUILT", [True, ("tag", 2001, [0, 1, 0]), "built\n", [kind.report()]])
        while said[0] == "SEND":
            client.send_file(farm.socket("file"), slave.id, kind.data)
            said = slave.say("SENT")
        if said != "DONE":
            raise farms.Failure(f"{kind.name}: {said}")
        slave.builds = False
    slave.bye()
    slave.close()


def is_published(farm, kind):
    path = farm.www / "simple" / kind.package / kind.filename
    return path.is_file() and hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(kind.data).digest()


def test_from_a_slave(farm):
    groups = {}
    for kind in KINDS:
        groups.setdefault(kind.platform(), []).append(kind)
    for platform, kinds in groups.items():
        add(farm, kinds)
        build_all(farm, platform, kinds)
    rows = {package: (status, int(number)) for package, status, number in farm.rows(
        "SELECT package, status, build_id FROM builds")}
    for kind in KINDS:
        status, number = rows.get(kind.package, ("none", 0))
        published = is_published(farm, kind)
        if kind.verdict == "take":
            check(f"slave.take.{kind.name}", status == "t" and published, f"{status} {log_of(farm, number)}")
        else:
            log = log_of(farm, number)
            said = any(word in log for word in ("refused", "no sound wheel", "PEP 440"))
            check(f"slave.refuse.{kind.name}", status == "f" and not published and said, f"{status} {published} {log}")


def import_one(farm, kind):
    """What the master says, asked by an importer that looks at nothing itself: "DONE …" or "ERROR …"."""
    with contextlib.closing(client.Connection(farm.socket("import"), "REQ")) as peer:
        def say(word, data=None):
            peer.send(b"", wire.cbor_encode(word if data is None else [word, data]))
            message = wire.cbor_decode(peer.receive(60)[1])
            return message if isinstance(message, str) else " ".join(message)
        said = say("IMPORT", [0, kind.package, kind.version, ABI, True, ("tag", 2001, [0, 1, 0]), "built\n", [kind.report()]])
        while said.startswith("SEND "):
            client.send_file(farm.socket("file"), 0, kind.data)
            said = say("SENT")
        return said


def test_by_import(farm):
    folder = farm.folder("import")
    farm.psql("DELETE FROM builds")
    for kind in KINDS:
        path = folder / kind.filename
        path.write_bytes(kind.data)
        path.chmod(0o644)
        done = farm.run([farm.program("piw-import"), "-c", farm.configuration(), "-y", "--import-queue", farm.socket("import"),
                         "--file-queue", farm.socket("file"), "--abi", ABI, "--package", kind.package, "--package-version",
                         kind.version, path], check=False)
        good = kind.verdict == "take" or kind.slaves_alone
        check(f"import.{'take' if good else 'refuse'}.{kind.name}", done.returncode == (0 if good else 1), done.stderr or done.stdout)
        if not good:
            said = import_one(farm, kind)
            check(f"import.master.{kind.name}", said.startswith("ERROR"), said)
        path.unlink()
    rows = dict(farm.rows("SELECT package, count(*) FROM files JOIN builds USING (build_id) GROUP BY package"))
    wanted = {kind.package for kind in KINDS if kind.verdict == "take" or kind.slaves_alone}
    check("import.nothing else is recorded", set(rows) == wanted, set(rows) ^ wanted)
    check("import.all is in place", all(is_published(farm, kind) for kind in KINDS if kind.package in wanted))


# --- Memory ------------------------------------------------------------------------------------------------------------

LARGE, STORED, MEMORY_MAX = 600 << 20, 256 << 20, 100 << 20
SPOT = 1 << 20


class Squeezed:
    """A large ELF file for 32-bit ARM in little room: its header, noise that repeats, and sections at its end."""

    def __init__(self, size, stored=False):
        noise = hashlib.shake_128(b"noise").digest(16 << 10) * (SPOT >> 14)
        attributes = b"A" + struct.pack("<I", 21) + b"aeabi\0\x01" + struct.pack("<I", 11) + bytes([6, 9, 28, 1, 10, 2])
        sections = [(0, 0, 0, 0), (1, 6, 4096, 64), (0x70000003, 0, size - 4096, len(attributes))]  # type, flags, offset, size
        table = b"".join(struct.pack("<10I", 0, number, flags, 0, offset, length, 0, 0, 4, 0)
                         for number, flags, offset, length in sections)
        head = b"\x7fELF\1\1\1" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 3, 40, 1, 0, 0, size - 2048, 0x5000400, 52, 32, 0, 40,
                                                          len(sections), 0)
        packer, self.crc, self.hash, self.size = zlib.compressobj(1, zlib.DEFLATED, -15), 0, hashlib.sha256(), size
        pieces = []
        for at in range(0, size, SPOT):
            piece = bytearray(noise)
            if at == 0:
                piece[:len(head)] = head
            if at + SPOT == size:
                piece[-4096:-4096 + len(attributes)] = attributes
                piece[-2048:-2048 + len(table)] = table
            self.crc = zlib.crc32(piece, self.crc)
            self.hash.update(piece)
            pieces.append(bytes(piece) if stored else packer.compress(bytes(piece)))
        self.packed = b"".join(pieces) + (b"" if stored else packer.flush())


def large_wheel(name, size, stored):
    """A wheel with a library of that size, by the maker of the kinds."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(FOLDER))
    loader = importlib.machinery.SourceFileLoader("make_wheels", str(FOLDER / "make"))
    maker = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_wheels", loader))
    loader.exec_module(maker)
    large = Squeezed(size, stored)
    library = f"{name}.cpython-311-arm-linux-gnueabihf.so"
    line = f"{library},sha256={base64.urlsafe_b64encode(large.hash.digest()).rstrip(b'=').decode()},{size}\n"
    odd = {"packed": large.packed, "crc_xor": large.crc, "size_add": size, "method": 0 if stored else 8}
    wheel = maker.Wheel(name, tags="cp311-cp311-linux_armv7l", files=[(library, b"", odd)], record=lambda lines: "".join(
        line if text.startswith(library) else text for text in lines).encode())
    return wheel.filename, wheel.bytes()


def high_water(farm):
    """Bytes of its own that the master had at most."""
    text = pathlib.Path(f"/proc/{farm.master.pid}/status").read_text("ascii")
    return int(text.split("VmHWM:")[1].split()[0]) << 10


def test_memory(farm):
    for name, size, stored in (("large", LARGE, False), ("stored", STORED, True)):
        filename, data = large_wheel(name, size, stored)
        path = farm.folder("import") / filename
        path.write_bytes(data)
        path.chmod(0o644)
        kind = Kind(path)
        add(farm, [kind])
        pathlib.Path(f"/proc/{farm.master.pid}/clear_refs").write_text("5", "ascii")
        before = high_water(farm)
        said = import_one(farm, kind)
        check(f"memory.{name}.it is looked at", said == "DONE IMPORT", said)
        grown = high_water(farm) - before
        check(f"memory.{name}.in little memory", grown < MEMORY_MAX, f"{grown >> 20} MB more")
        print(f"# the master grew by {grown >> 20} MB for a library of {size >> 20} MB in a wheel of {len(data) >> 20} MB")
        alias = farm.www / "simple" / name / filename.replace("armv7l", "armv6l")
        check(f"memory.{name}.what it asks of the processor is known", alias.is_symlink())
        path.unlink()


def main():
    test_made()
    test_oracles()
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database([ABI])
        farm.start_pypi()
        farm.start_master()
        for test in (test_from_a_slave, test_by_import, test_memory):
            try:
                test(farm)
            except (farms.Failure, OSError, ValueError, TypeError) as error:
                check(f"{test.__name__}.to its end", False, repr(error))
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
