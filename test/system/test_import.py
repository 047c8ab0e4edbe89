#!/usr/bin/python3
"""The import queue as administrators and importers speak it, byte by byte, in both codecs: the words for packages and
versions, rebuilds, imports with their transfers, and what all that leaves in the database and on the site.

TEST-TIMEOUT: 400
"""

import contextlib
import datetime
import gzip
import signal
import struct
import sys
import time

import client
import farm as farms
import score
import wheels
import wire
from score import check, equal

UTC = datetime.timezone.utc
WHEN = datetime.datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
CODECS = {"cbor": (wire.cbor_encode, wire.cbor_decode), "msgpack": (wire.msgpack_encode, wire.msgpack_decode)}


class Administrator:
    """A connection to the import queue: say() gives "DONE NEWPKG", "ERROR NOPKG", "SEND file"."""

    def __init__(self, farm, codec="cbor"):
        self.peer = client.Connection(farm.socket("import"), "REQ")
        self.encode, self.decode = CODECS[codec]

    def tell(self, word, data=None):
        self.peer.send(b"", self.encode(word if data is None else [word, data]))

    def hear(self, timeout=30):
        frames = self.peer.receive(timeout)
        if frames is None:
            return "nothing"
        message = self.decode(frames[1])
        return message if isinstance(message, str) else " ".join(message)

    def say(self, word, data=None):
        self.tell(word, data)
        return self.hear()

    def close(self):
        self.peer.close()


class Office:
    """What administrators say, each on a connection of its own as the tools do, codecs in turn."""

    def __init__(self, farm):
        self.farm = farm
        self.turn = 0

    def say(self, word, *data):
        self.turn += 1
        with contextlib.closing(Administrator(self.farm, ("cbor", "msgpack")[self.turn % 2])) as admin:
            return admin.say(word, list(data) or None)

    def addpkg(self, name, description="", skip="", unskip=False, aliases=()):
        return self.say("ADDPKG", name, description, skip, unskip, list(aliases))

    def addver(self, name, version, skip="", unskip=False, released=WHEN, yank=False, unyank=False, aliases=()):
        return self.say("ADDVER", name, version, skip, unskip, released, yank, unyank, list(aliases))

    def rempkg(self, name, builds=False, skip=""):
        return self.say("REMPKG", name, builds, skip)

    def remver(self, name, version, builds=False, skip="", yank=False):
        return self.say("REMVER", name, version, builds, skip, yank)


class Importer(Administrator):
    """An importer of one build: `files` are {name: bytes}."""

    def __init__(self, farm, package, version, files, codec="cbor", **other):
        super().__init__(farm, codec)
        self.farm, self.package, self.version, self.files, self.other = farm, package, version, files, other

    def report(self):
        """The build_state."""
        files = []
        for name, data in self.files.items():
            tag, version, *_, py, abi, platform = name.removesuffix(".whl").split("-")
            files.append([name, len(data), wheels.sha256(data), tag, version, py, abi, platform, None,
                          {"apt": ["libc6"], "pip": ["markupsafe"], "": []}, "/simple"])
        return [0, self.package, self.version, self.other.get("abi", "cp311"), self.other.get("status", True),
                self.other.get("duration", datetime.timedelta(seconds=3723)), self.other.get("output", "the log\n"),
                self.other.get("states", files)]

    def begin(self):
        return self.say("IMPORT", self.report())

    def transfer(self, data, pause=0.0):
        """The bytes of one file over the file queue, as they are asked for."""
        with contextlib.closing(client.Connection(self.farm.socket("file"), "DEALER")) as peer:
            peer.send(b"HELLO", b"0")
            while True:
                frames = peer.receive(30)
                if frames is None:
                    raise farms.Failure("the file queue is silent")
                if frames == [b"DONE"]:
                    return
                offset, length = int(frames[1]), int(frames[2])
                time.sleep(pause)
                peer.send(b"CHUNK", frames[1], data[offset:offset + length])

    def send(self, said, pause=0.0):
        """Send what is asked for until something else is said, which is returned."""
        while said.startswith("SEND "):
            self.transfer(self.files[said[5:]], pause)
            said = self.say("SENT")
        return said

    def run(self):
        with contextlib.closing(self):
            return self.send(self.begin())


def files_of(farm, package):
    return farm.rows("SELECT f.filename, f.filehash, b.built_by, b.abi_tag FROM files f JOIN builds b USING (build_id) "
                     f"WHERE b.package = '{package}' ORDER BY filename")


def rows_of(farm, file):
    return len(farm.rows(f"SELECT 1 FROM files WHERE filename = '{file}'"))


def page_of(farm, package):
    path = farm.www / "simple" / package / "index.html"
    return path.read_text("utf-8") if path.exists() else ""


def lies_still(farm):
    """Nothing is staged."""
    return not [path for path in (farm.www / ".staging").glob("*") if path.name.isdigit()]


def make(name, **more):
    return {name: wheels.make(name, **more)}


def test_import(farm, office):
    office.addpkg("goldimp")
    for version in ("1.0", "1.1", "2.0", "3.0"):
        office.addver("goldimp", version)
    one = make("goldimp-1.0-py3-none-any.whl", requires_python=">=3.7")
    name, data = next(iter(one.items()))
    equal("import.one file", Importer(farm, "goldimp", "1.0", one).run(), "DONE IMPORT")
    equal("import.its rows", files_of(farm, "goldimp"), [[name, wheels.sha256(data), "0", "cp311"]])
    equal("import.its facts", farm.rows(
        "SELECT version, duration, status, requires_python, (SELECT count(*) FROM dependencies d WHERE d.filename = f.filename) "
        "FROM builds b JOIN files f USING (build_id) WHERE package = 'goldimp'"), [["1.0", "01:02:03", "t", ">=3.7", "2"]])
    wheel = farm.www / "simple" / "goldimp" / name
    equal("import.its bytes", wheel.read_bytes(), data)
    equal("import.its mode", wheel.stat().st_mode & 0o777, 0o644)
    check("import.its metadata", wheel.with_name(f"{name}.metadata").read_bytes().startswith(b"Metadata-Version"))
    farm.wait("the page, at once", lambda: wheels.sha256(data) in page_of(farm, "goldimp"), 10)
    check("import.nothing is staged", lies_still(farm))
    number = f"{int(farm.value('SELECT max(build_id) FROM builds')):012}"
    log = farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"
    equal("import.its log", gzip.decompress(log.read_bytes()), b"the log\n")

    two = {**make("goldimp-1.1-py3-none-any.whl"), **make("goldimp-1.1-cp311-cp311-linux_x86_64.whl", size=709008)}
    importer = Importer(farm, "GoldImp", "1.1", two, "msgpack")
    said = importer.begin()
    equal("import.files by name", said, "SEND goldimp-1.1-cp311-cp311-linux_x86_64.whl")
    equal("import.two files", importer.send(said), "DONE IMPORT")
    equal("import.two rows of one build", len({row[0] for row in farm.rows(
        "SELECT build_id FROM files WHERE package_version_tag = '1.1'")}), 1)
    equal("import.connection goes on", importer.say("ADDPKG", ["goldimp", "", "", False, []]), "DONE UPDPKG")
    importer.close()
    equal("import.again", Importer(farm, "goldimp", "1.0", one).run(), "DONE IMPORT")
    equal("import.for another ABI", Importer(farm, "goldimp", "1.0", one, abi="cp39").run(), "DONE IMPORT")
    equal("import.the last one has the file", files_of(farm, "goldimp")[0], [name, wheels.sha256(data), "0", "cp39"])
    office.addpkg("parcel")
    office.addver("parcel", "7")
    equal("import.under another name", Importer(farm, "parcel", "7", make("goldimp-5.0-py3-none-any.whl")).run(), "DONE IMPORT")
    check("import.its place", (farm.www / "simple" / "parcel" / "goldimp-5.0-py3-none-any.whl").exists())


def test_import_errors(farm, _):
    good = make("goldimp-3.0-py3-none-any.whl")
    before = farm.rows("SELECT count(*), (SELECT count(*) FROM files) FROM builds")

    def said(package="goldimp", version="3.0", files=None, codec="cbor", **other):
        return Importer(farm, package, version, good if files is None else files, codec, **other).run()

    with contextlib.closing(Administrator(farm)) as admin:
        equal("error.SENT before IMPORT", admin.say("SENT"), "ERROR protocol violation")
    equal("error.failed", said(status=False), "ERROR importing a failed build is not supported")
    equal("error.no files", said(files={}), "ERROR no files listed for import")
    equal("error.ABI", said(abi="cp27", codec="msgpack"), "ERROR invalid ABI: cp27")
    equal("error.ABI none", said(abi="none"), "ERROR invalid ABI: none")
    equal("error.version", said(version="99"), "ERROR unknown package version goldimp 99")
    equal("error.package", said("nopackage"), "ERROR unknown package version nopackage 3.0")
    state = Importer(farm, "goldimp", "3.0", good).report()[7][0]
    for name, at, value, wanted in (
            ("path", 0, "goldimp-3.0-py3/none-any.whl", "path separator"), ("size", 1, 0, "its size of 0 bytes"),
            ("hash", 2, "x" * 64, "hex digits"), ("tag", 6, "cp311", "abi_tag"), ("place", 10, "/other", "location")):
        wrong = [*state]
        wrong[at] = value
        answer = Importer(farm, "goldimp", "3.0", good, states=[wrong]).run()
        check(f"error.{name}", answer.startswith("ERROR ") and wanted in answer, answer)
    check("error.no package", said("").startswith("ERROR \"\" is no package name"))
    check("error.version as a path", said(version="../1").startswith("ERROR \"../1\" is no version"))
    check("error.less than no time", said(duration=datetime.timedelta(-1)).startswith("ERROR the build can't"))

    importer = Importer(farm, "goldimp", "3.0", good)
    name = next(iter(good))
    answers = [importer.begin()]
    for _ in range(5):
        importer.transfer(bytes(len(good[name])))
        answers.append(importer.say("SENT"))
    equal("error.bad transfers are asked for again", answers[:5], [f"SEND {name}"] * 5)
    check("error.the fifth is the last", answers[5].startswith(f"ERROR the wheel {name} could not be transferred in 5 tries"),
          answers[5])
    equal("error.it is over", importer.say("SENT"), "ERROR protocol violation")
    equal("error.SENT without a transfer", (importer.begin(), importer.say("SENT"), importer.send(f"SEND {name}")),
          (f"SEND {name}", f"SEND {name}", "DONE IMPORT"))
    importer.close()
    farm.psql("DELETE FROM builds WHERE version = '3.0'")
    bad = {name: good[name].replace(b"Name: goldimp", b"Name: goldIMP")}
    answer = Importer(farm, "goldimp", "3.0", bad).run()
    check("error.the gate", answer.startswith(f"ERROR the wheel {name} was refused: {name} is no sound wheel"), answer)
    equal("error.nothing is recorded", farm.rows("SELECT count(*), (SELECT count(*) FROM files) FROM builds"), before)
    farm.wait("nothing staged", lambda: lies_still(farm), 10)


def test_turns(farm, _):
    first = Importer(farm, "goldimp", "2.0", make("goldimp-2.0-py3-none-any.whl"))
    second = Importer(farm, "goldimp", "3.0", make("goldimp-3.0-py3-none-any.whl", size=2 << 20), "msgpack")
    third = Importer(farm, "goldimp", "1.0", make("goldimp-1.0-py3-none-any.whl"))
    said = first.begin()
    second.tell("IMPORT", second.report())
    equal("turns.the second waits", second.hear(1), "nothing")
    third.tell("IMPORT", third.report())
    equal("turns.the first goes on", first.send(said), "DONE IMPORT")
    said = second.hear()
    equal("turns.then the second", said, "SEND goldimp-3.0-py3-none-any.whl")
    equal("turns.slow, but not silent", second.send(said, pause=0.8 * farms.PATIENCE), "DONE IMPORT")
    equal("turns.then the third", third.send(third.hear()), "DONE IMPORT")

    said = first.begin()
    second.tell("IMPORT", second.report())
    equal("turns.a silent one loses its turn", second.hear(15), "SEND goldimp-3.0-py3-none-any.whl")
    answer = first.say("SENT")
    check("turns.and hears of it", answer.startswith("ERROR the import of goldimp 2.0 was given up"), answer)
    equal("turns.once", first.say("SENT"), "ERROR protocol violation")
    third.tell("IMPORT", third.report())
    second.close()  # it will be silent, too
    equal("turns.one that has gone is waited for as long", third.send(third.hear(15)), "DONE IMPORT")
    begun = third.begin()
    equal("turns.a new import of a connection ends its last", (begun, third.send(third.begin())), (said.replace("2.0", "1.0"), "DONE IMPORT"))
    first.close()
    third.close()
    farm.wait("nothing staged", lambda: lies_still(farm), 10)


def test_replacement(farm, _):
    name = "goldimp-1.0-py3-none-any.whl"
    other = make(name, members={"more.py": b"more = 1\n"})
    wheel = farm.www / "simple" / "goldimp" / name
    old = wheels.sha256(wheel.read_bytes())
    equal("replaced.import", Importer(farm, "goldimp", "1.0", other).run(), "DONE IMPORT")
    equal("replaced.bytes", wheel.read_bytes(), other[name])
    new = wheels.sha256(other[name])
    equal("replaced.row", [row for row in files_of(farm, "goldimp") if row[0] == name], [[name, new, "0", "cp311"]])
    farm.wait("the page, at once", lambda: new in page_of(farm, "goldimp") and old not in page_of(farm, "goldimp"), 10)


def elf_for_armv7():
    """A library without code whose build attributes say ARMv7."""
    attributes = b"A" + struct.pack("<I", 17) + b"aeabi\0" + b"\x01" + struct.pack("<I", 7) + b"\x06\x0a"
    names = b"\0.ARM.attributes\0.shstrtab\0"
    at = 52 + len(attributes)
    head = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 3, 40, 1, 0, 0, at + len(names), 0x5000000,
                                                           52, 0, 0, 40, 3, 2)
    sections = bytes(40) + struct.pack("<10I", 1, 0x70000003, 0, 0, 52, len(attributes), 0, 0, 1, 0) + \
        struct.pack("<10I", 17, 3, 0, 0, at, len(names), 0, 0, 1, 0)
    return head + attributes + names + sections


def test_armv7l(farm, office):
    v6, v7 = ("goldimp-2.0-cp311-cp311-linux_armv6l.whl", "goldimp-2.0-cp311-cp311-linux_armv7l.whl")
    folder = farm.www / "simple" / "goldimp"
    equal("armv7l.import", Importer(farm, "goldimp", "2.0", make(v7)).run(), "DONE IMPORT")
    digest = wheels.sha256(make(v7)[v7])
    two = [row for row in files_of(farm, "goldimp") if "linux_arm" in row[0]]
    equal("armv7l.two entries", two, [[v6, digest, "0", "cp311"], [v7, digest, "0", "cp311"]])
    equal("armv7l.a relative link", (folder / v6).readlink().name, v7)
    real = make(v6, members={"real.py": b"real = 1\n"})
    equal("armv7l.a real armv6l wheel", Importer(farm, "goldimp", "2.0", real).run(), "DONE IMPORT")
    equal("armv7l.replaces the link", ((folder / v6).is_symlink(), (folder / v6).read_bytes()), (False, real[v6]))
    other = make(v7, members={"more.py": b"more = 2\n"})
    equal("armv7l.another armv7l wheel", Importer(farm, "goldimp", "2.0", other).run(), "DONE IMPORT")
    equal("armv7l.leaves the real one", ((folder / v6).is_symlink(), (folder / v6).read_bytes()), (False, real[v6]))
    equal("armv7l.and its row", [row[1] for row in files_of(farm, "goldimp") if "linux_arm" in row[0]],
          [wheels.sha256(real[v6]), wheels.sha256(other[v7])])
    native = make("goldimp-3.0-cp311-cp311-linux_armv7l.whl")
    equal("armv7l.a third", Importer(farm, "goldimp", "3.0", native).run(), "DONE IMPORT")
    check("armv7l.with its link", (folder / "goldimp-3.0-cp311-cp311-linux_armv6l.whl").is_symlink())
    native = make("goldimp-3.0-cp311-cp311-linux_armv7l.whl", members={"native.so": elf_for_armv7()})
    equal("armv7l.for ARMv7 only", Importer(farm, "goldimp", "3.0", native).run(), "DONE IMPORT")
    equal("armv7l.its second entry goes", [row[:2] for row in files_of(farm, "goldimp") if "-3.0-cp" in row[0]],
          [[name, wheels.sha256(data)] for name, data in native.items()])
    farm.wait("its link to go", lambda: not (folder / "goldimp-3.0-cp311-cp311-linux_armv6l.whl").is_symlink(), 15)
    equal("armv7l.removed", office.remver("goldimp", "2.0", True), "DONE DELVERBLD")
    farm.wait("the wheels to go", lambda: not list(folder.glob("goldimp-2.0-*")), 15)
    equal("armv7l.import again", Importer(farm, "goldimp", "2.0", make(v7)).run(), "DONE IMPORT")
    equal("armv7l.linked again", (folder / v6).readlink().name, v7)


def test_wheels_go(farm, office):
    folder = farm.www / "simple" / "goldimp"
    name = "goldimp-1.1-py3-none-any.whl"
    check("wheels.are there", (folder / name).exists() and (folder / f"{name}.metadata").exists())
    equal("wheels.skip alone", office.remver("goldimp", "1.1", skip="no more"), "DONE SKIPVER")
    equal("wheels.keeps them", (files_of(farm, "goldimp") != [], (folder / name).exists()), (True, True))
    equal("wheels.a version", office.remver("goldimp", "1.1"), "DONE DELVER")
    farm.wait("its wheels to go", lambda: not list(folder.glob("goldimp-1.1-*")), 15)
    farm.wait("the page without it", lambda: "goldimp-1.1" not in page_of(farm, "goldimp"), 10)
    check("wheels.others stay", "goldimp-1.0" in page_of(farm, "goldimp") and list(folder.glob("goldimp-1.0-*.whl")))
    equal("wheels.a package's builds", office.rempkg("goldimp", True), "DONE DELPKGBLD")
    farm.wait("all wheels to go", lambda: not list(folder.glob("*.whl*")), 15)
    farm.wait("the page without links", lambda: page_of(farm, "goldimp") and ".whl" not in page_of(farm, "goldimp"), 10)
    equal("wheels.wanted again", farm.rows("SELECT version FROM piw.queue WHERE package = 'goldimp' AND version = '3.0'"),
          [["3.0"]])
    equal("wheels.the package", office.rempkg("goldimp"), "DONE DELPKG")
    farm.wait("its folders to go", lambda: not folder.exists() and not (farm.www / "project" / "goldimp").exists(), 15)


def builds(slave, package):
    """Is the slave given the package now? Others fail at once."""
    said = slave.idle()
    if said[0] == "BUILD" and said[1][0] != package:
        slave.fail()
    return said[0] == "BUILD" and said[1][0] == package


def test_running_builds(farm, office):
    farm.psql("UPDATE packages SET skip = 'not now'")
    office.addpkg("goldrun")
    office.addver("goldrun", "1.0")
    slave = wire.Builder(farm.dir / "s" / "slave", "builder", "cp39")
    farm.wait("the build to be given out", lambda: builds(slave, "goldrun"), 20)
    equal("running.builds removed", office.rempkg("goldrun", True), "DONE DELPKGBLD")
    equal("running.is thrown away", farm.wait("DONE", lambda: slave.busy() != "CONT" or None, 10), True)
    equal("running.is offered again", slave.idle(), ["BUILD", ["goldrun", "1.0"]])
    equal("running.version removed", office.remver("goldrun", "1.0"), "DONE DELVER")
    farm.wait("DONE", lambda: slave.busy() == "DONE", 10)
    equal("running.is offered no more", slave.idle(), ["SLEEP", False])
    slave.bye()
    slave.close()
    farm.psql("UPDATE packages SET skip = ''")


def control(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words])


def test_swap(farm, office):
    office.addpkg("goldswap")
    for version in ("1", "2"):
        office.addver("goldswap", version)
    first = Importer(farm, "goldswap", "1", {**make("goldswap-1-py3-none-any.whl"), **make("goldswap-1-py2-none-any.whl")})
    second = Importer(farm, "goldswap", "2", make("goldswap-2-py3-none-any.whl"), "msgpack")
    said = first.begin()
    second.tell("IMPORT", second.report())
    control(farm, "reload", "mr_chase")
    first.transfer(first.files[said[5:]])
    control(farm, "reload", "file_juggler")
    said = first.say("SENT")
    equal("swap.the import goes on", said, "SEND goldswap-1-py3-none-any.whl")
    control(farm, "reload", "mr_chase")
    equal("swap.to its end", first.send(said), "DONE IMPORT")
    equal("swap.the waiting one has its turn", second.send(second.hear()), "DONE IMPORT")
    said = first.begin()
    second.tell("IMPORT", second.report())
    control(farm, "restart", "mr_chase")
    check("swap.a cold restart refuses who waits", second.hear().startswith("ERROR "))
    equal("swap.who sends goes on", first.send(said), "DONE IMPORT")
    first.close()
    second.close()


def test_outage(farm, office):
    office.addpkg("goldaway")
    office.addver("goldaway", "1")
    importer = Importer(farm, "goldaway", "1", make("goldaway-1-py3-none-any.whl"))
    said = importer.begin()
    importer.transfer(importer.files[said[5:]])
    database = next(process for process in farm.processes if process.name == "postgres")
    farm.stop_process(database)
    importer.tell("SENT")
    admin = Administrator(farm)
    admin.tell("ADDPKG", ["goldaway2", "", "", False, []])
    equal("outage.the answers wait", (importer.hear(2), admin.hear(1)), ("nothing", "nothing"))
    farm.start_postgres()
    equal("outage.and come", (importer.hear(60), admin.hear(60)), ("DONE IMPORT", "DONE NEWPKG"))
    equal("outage.recorded once", len(files_of(farm, "goldaway")), 1)
    importer.close()
    admin.close()


def test_killed(farm, office):
    office.addpkg("goldkill")
    for version, size in (("1", 0), ("2", 80_000)):
        office.addver("goldkill", version)
        killed(farm, f"killed.{size or 'few'} bytes", version, make(f"goldkill-{version}-py3-none-any.whl", size=size))


def killed(farm, name, version, files):
    (file, data), = files.items()
    wheel = farm.www / "simple" / "goldkill" / file
    importer = Importer(farm, "goldkill", version, files)
    importer.transfer(files[importer.begin()[5:]])
    farm.master.kill()
    importer.close()
    farm.restart_master("juggler.rename=kill")
    farm.wait("nothing staged", lambda: lies_still(farm), 15)
    equal(f"{name}: in a transfer", (wheel.exists(), rows_of(farm, file)), (False, 0))
    importer = Importer(farm, "goldkill", version, files)
    importer.transfer(files[importer.begin()[5:]])
    farm.master.expected_end = True
    importer.tell("SENT")
    equal(f"{name}: before the rename", farm.master.popen.wait(60), -signal.SIGKILL)
    importer.close()
    equal(f"{name}: the row is there", (wheel.exists(), rows_of(farm, file)), (False, 1))
    farm.restart_master()
    farm.wait("the wheel", lambda: wheel.exists() and wheel.read_bytes() == data, 20)
    farm.wait("nothing staged", lambda: lies_still(farm), 15)
    check(f"{name}: then it is whole", True)


def test_packages(farm, office):
    equal("package.new", office.addpkg("Gold.Imp", "An imported thing", aliases=["gold_imp"]), "DONE NEWPKG")
    equal("package.its names", [row[0] for row in farm.rows(
        "SELECT name FROM package_names WHERE package = 'gold-imp' ORDER BY seen DESC, name")],
        ["Gold.Imp", "gold_imp", "gold-imp"])
    equal("package.canonical name unused", farm.value(
        "SELECT seen FROM package_names WHERE name = 'gold-imp'"), "1970-01-01 00:00:00")
    equal("package.another", office.addpkg("goldimp", "An imported thing", aliases=["GoldImp"]), "DONE NEWPKG")
    equal("package.update", office.addpkg("goldimp", "New description"), "DONE UPDPKG")
    equal("package.no description keeps it", office.addpkg("GOLDIMP"), "DONE UPDPKG")
    equal("package.description", farm.rows("SELECT skip, description FROM packages WHERE package = 'goldimp'"),
          [["", "New description"]])
    equal("package.display name", farm.value(
        "SELECT get_project_data('goldimp') ->> 'name'"), "GOLDIMP")
    equal("package.skipped", office.addpkg("goldskipped", "d", "added skipped"), "DONE NEWPKG")
    equal("package.its reason", farm.value("SELECT skip FROM packages WHERE package = 'goldskipped'"), "added skipped")
    equal("package.skip of a known one", office.addpkg("goldskipped", "x", "y", True, ["GoldSkipped"]), "ERROR SKIPPKG")
    equal("package.an error changes nothing", farm.rows(
        "SELECT skip, description, (SELECT count(*) FROM package_names n WHERE n.package = p.package) "
        "FROM packages p WHERE package = 'goldskipped'"), [["added skipped", "d", "1"]])
    equal("package.unskip", office.addpkg("goldskipped", "d2", "", True), "DONE UPDPKG")
    equal("package.unskipped", farm.rows("SELECT skip, description FROM packages WHERE package = 'goldskipped'"),
          [["", "d2"]])
    equal("package.long description", office.addpkg("goldlong", "\u2713" * 300), "DONE NEWPKG")
    equal("package.cut", farm.value("SELECT description FROM packages WHERE package = 'goldlong'"), "\u2713" * 200)


def test_refusals(farm, office):
    before = farm.rows("SELECT count(*), (SELECT count(*) FROM package_names) FROM packages")
    for name, said, wanted in (
            ("no name", office.addpkg(""), "ERROR the package has no name"),
            ("long name", office.addpkg("x" * 201), "ERROR the package's name is longer than 200 characters"),
            ("bad name", office.addpkg("../etc"), "ERROR \"../etc\" is no package name"),
            ("other alias", office.addpkg("UPPER_case..pkg", "u\u2713", aliases=["totally-different"]),
             "ERROR \"totally-different\" is no other spelling of upper-case-pkg"),
            ("outside alias", office.addpkg("p1", "d", aliases=["../../tmp/evil-alias"]),
             "ERROR \"../../tmp/evil-alias\" is no other spelling of p1"),
            ("long reason", office.addpkg("p1", "d", "r" * 101), "ERROR the reason for skipping is longer than 100"),
            ("no version", office.addver("goldimp", ""), "ERROR the version is empty"),
            ("long version", office.addver("goldimp", "1" * 201), "ERROR \"11111"),
            ("version as path", office.addver("goldimp", "../1"), "ERROR \"../1\" is no version"),
            ("version's alias", office.addver("goldimp", "1.0", aliases=["gold"]), "ERROR \"gold\" is no other spelling"),
            ("no name to remove", office.rempkg(""), "ERROR the package has no name"),
            ("no version to remove", office.remver("goldimp", ""), "ERROR the version is empty"),
            ("long reason to remove", office.remver("goldimp", "1.0", skip="r" * 101), "ERROR the reason")):
        check(f"refused.{name}", said.startswith(wanted), said)
    equal("refused.nothing of it stays", farm.rows(
        "SELECT count(*), (SELECT count(*) FROM package_names) FROM packages"), before)
    equal("refused.a reason of 100 is none", office.addpkg("goldlong", "", "", False), "DONE UPDPKG")


def test_versions(farm, office):
    equal("version.no package", office.addver("nopackage", "1.0"), "ERROR NOPKG")
    equal("version.new", office.addver("goldimp", "1.0"), "DONE NEWVER")
    equal("version.released", farm.value("SELECT released FROM versions WHERE package = 'goldimp'"), "2024-03-01 12:00:00")
    equal("version.again", office.addver("goldimp", "1.0"), "DONE UPDVER")
    equal("version.skip of a known one", office.addver("goldimp", "1.0", "x", yank=True), "ERROR SKIPVER")
    equal("version.yank of a known one", office.addver("goldimp", "1.0", yank=True, unyank=True), "ERROR YANKVER")
    equal("version.unyank and alias", office.addver("Gold.Imp", "1.0", aliases=["GOLD-imp"]), "DONE NEWVER")
    equal("version.new and yanked", office.addver("goldimp", "9.0", yank=True), "DONE NEWVER")
    equal("version.unyank", office.addver("goldimp", "9.0", unyank=True), "DONE UPDVER")
    equal("version.yanked no more", farm.value("SELECT yanked FROM versions WHERE version = '9.0'"), "f")
    equal("version.new and skipped", office.addver("goldimp", "9.1", "known bad", True, yank=True, unyank=True), "DONE NEWVER")
    equal("version.as it was asked for", farm.rows("SELECT skip, yanked FROM versions WHERE version = '9.1'"),
          [["known bad", "t"]])
    equal("version.unskip", office.addver("goldimp", "9.1", unskip=True), "DONE UPDVER")
    equal("version.not PEP 440", office.addver("goldimp", "not a version!"), "DONE NEWVER")
    equal("version.in the queue", farm.rows(
        "SELECT version FROM piw.queue WHERE package = 'goldimp' ORDER BY version"),
        [["1.0"], ["9.0"], ["9.1"], ["not a version!"]])
    farm.wait("its pages to be held", lambda: farm.rows(
        "SELECT command FROM rewrites_pending WHERE package = 'goldimp'") == [["BOTH"]], 10)


def test_removals(farm, office):
    for version in ("7.0", "8.0"):
        office.addver("goldimp", version)
    for name, said, wanted in (
            ("unknown package", office.rempkg("nopackage", True, "x"), "ERROR NOPKG"),
            ("unknown version", office.remver("goldimp", "99"), "ERROR NOVER"),
            ("version of an unknown package", office.remver("nopackage", "1"), "ERROR NOVER"),
            ("yank", office.remver("goldimp", "9.0", yank=True), "DONE YANKVER"),
            ("skip", office.remver("goldimp", "9.1", skip="no good"), "DONE SKIPVER"),
            ("skip and yank", office.remver("GoldImp", "1.0", skip="s", yank=True), "DONE YANKVER"),
            ("builds", office.remver("goldimp", "7.0", True), "DONE DELVERBLD"),
            ("all three", office.remver("goldimp", "7.0", True, "all three", True), "DONE DELVERBLD"),
            ("version", office.remver("goldimp", "8.0"), "DONE DELVER"),
            ("skip a package", office.rempkg("goldskipped", False, "skipping it"), "DONE SKIPPKG"),
            ("a package's builds", office.rempkg("goldskipped", True), "DONE DELPKGBLD"),
            ("skip and builds", office.rempkg("Gold-Skipped", True, "again"), "ERROR NOPKG"),
            ("skip and builds of a known one", office.rempkg("GoldSkipped", True, "again"), "DONE DELPKGBLD")):
        equal(f"removed.{name}", said, wanted)
    equal("removed.rows", farm.rows("SELECT version, skip, yanked FROM versions WHERE package = 'goldimp' ORDER BY 1"),
          [["1.0", "s", "t"], ["7.0", "all three", "t"], ["9.0", "", "t"], ["9.1", "no good", "t"],
           ["not a version!", "", "f"]])
    equal("removed.skip stays", farm.value("SELECT skip FROM packages WHERE package = 'goldskipped'"), "again")
    page = farm.www / "project" / "goldskipped" / "index.html"
    farm.wait("the page of the package", page.exists, 10)
    equal("removed.package", office.rempkg("goldskipped"), "DONE DELPKG")
    farm.wait("the page to go", lambda: not page.exists(), 10)
    equal("removed.package is gone", farm.rows("SELECT 1 FROM packages WHERE package = 'goldskipped'"), [])


def test_rebuild(farm, office):
    pages = [farm.www / "simple" / "goldimp" / "index.html", farm.www / "project" / "goldimp" / "index.html"]

    def rebuilt(name, said, changed):
        for path in pages:  # a page that says the same already would be left alone
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("spoilt")
        equal(name, office.say("REBUILD", *said), "DONE REBUILD")
        written = lambda: [path.read_text() != "spoilt" for path in pages] == changed
        if said[1] is not None:
            check(f"{name} in place", written())
        else:
            farm.wait(f"{name} in place", written, 10)

    rebuilt("rebuild.pages of a new package", ("BOTH", "goldimp"), [True, True])
    rebuilt("rebuild.project", ("PROJECT", "GoldImp"), [False, True])
    rebuilt("rebuild.both", ("BOTH", "goldimp"), [True, True])
    rebuilt("rebuild.all", ("BOTH", None), [True, True])
    rebuilt("rebuild.all projects", ("PROJECT", None), [False, True])
    equal("rebuild.home", office.say("REBUILD", "HOME"), "DONE REBUILD")
    equal("rebuild.search", office.say("REBUILD", "SEARCH"), "DONE REBUILD")
    equal("rebuild.unknown", office.say("REBUILD", "BOTH", "nopackage"), "ERROR unknown package nopackage")
    equal("rebuild.no name", office.say("REBUILD", "PROJECT", "../x"), "ERROR unknown package ../x")


TESTS = [test_packages, test_refusals, test_versions, test_removals, test_rebuild, test_import, test_import_errors, test_turns,
         test_replacement, test_armv7l, test_wheels_go, test_running_builds, test_swap, test_outage, test_killed]


def main():
    only = sys.argv[1:]
    with farms.Farm() as farm:
        farm.task_options["mr_chase"] = {"silence": f"{5 * farms.PATIENCE}s"}
        farm.task_options["the_secretary"] = {"hold": "1h"}  # what goes at once is seen to
        farm.task_options["file_juggler"] = {"removals-every": "200ms"}
        farm.site_options["linger"] = "1s"
        farm.prepare()
        farm.start_postgres()
        farm.create_database(["cp39", "cp311"])
        farm.start_pypi()
        farm.start_master()
        office = Office(farm)
        for test in TESTS:
            if only and test.__name__ not in only:
                continue
            try:
                test(farm, office)
            except (farms.Failure, OSError, ValueError) as error:
                check(f"{test.__name__}.to its end", False, repr(error))
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
