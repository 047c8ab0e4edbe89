#!/usr/bin/python3
"""Bad input to piw-import, piw-add, piw-remove and piw-rebuild, users who say no, masters that go away or answer what they
should not; what is said of wheels, and transfers in every order.

TEST-TIMEOUT: 300
"""

import contextlib
import http.server
import json
import os
import pty
import re
import socket
import subprocess
import sys
import threading
import time

import clerk
import farm as farms
import score
import wheels
from clerk import Program, accept

WHEEL = "goldimp-1.0-py3-none-any.whl"
DAY = "2024-03-01 12:00:00"
check, equal = score.check, score.equal


def refused(world, name, program, args, code, words, answer="", **where):
    got, out, err = world.run(program, *args, answer=answer, **where).end()
    lines = err.splitlines()
    return check(name, got == code and len(lines) == 1 and lines[0].startswith(f"{program}: ") and
                 re.search(words, lines[0]), f"exit {got}, stdout {out!r}, stderr {err!r}")


def test_bad_words(world):
    """Each option wrong, each operand wrong: one line, exit 2, and no master is needed for it."""
    long = "x" * 201
    for name, program, args, words in (
            ("unknown option", "piw-add", ["--foo"], "--foo"),
            ("no operand", "piw-add", [], "PACKAGE.*missing"),
            ("too many", "piw-add", ["a", "1", "2"], "unexpected argument '2'"),
            ("empty name", "piw-add", [""], "can't be a package's name"),
            ("long name", "piw-add", [long], "1 to 200"),
            ("name", "piw-add", ["../x"], "'../x' can't be"),
            ("empty version", "piw-add", ["a", ""], "can't be a version"),
            ("version", "piw-add", ["a", "1/2"], "'1/2' can't be a version"),
            ("skip and unskip", "piw-add", ["a", "-s", "x", "--unskip"], "exclude each other"),
            ("yank and unyank", "piw-add", ["a", "1", "--yank", "--unyank"], "exclude each other"),
            ("empty skip", "piw-add", ["a", "-s", ""], "--skip is empty"),
            ("long skip", "piw-add", ["a", "-s", "x" * 101], "--skip has more than 100"),
            ("skip of lines", "piw-add", ["a", "-s", "x\ny"], "--skip must be one line"),
            ("skip no UTF-8", "piw-add", ["a", "-s", "x\udcff"], "--skip must be one line of UTF-8"),
            ("description", "piw-add", ["a", "-d", "\x1b[2J"], "--description must be one line"),
            ("description of version", "piw-add", ["a", "1", "-d", "x"], "leave out the VERSION"),
            ("released of package", "piw-add", ["a", "-r", DAY], "--released needs a VERSION"),
            ("yank of package", "piw-add", ["a", "--yank"], "--yank needs a VERSION"),
            ("unyank of package", "piw-add", ["a", "--unyank"], "--unyank needs a VERSION"),
            ("released", "piw-add", ["a", "1", "-r", "yesterday"], "'yesterday' is no time; write YYYY"),
            ("released never", "piw-add", ["a", "1", "-r", "2024-02-30 00:00:00"], "2024-02-30"),
            ("codec", "piw-add", ["a", "--codec", "json"], "msgpack|cbor"),
            ("no operand", "piw-remove", [], "PACKAGE.*missing"),
            ("name", "piw-remove", ["a b"], "'a b' can't be"),
            ("version", "piw-remove", ["a", "1\n2"], "can't be a version"),
            ("yank of package", "piw-remove", ["a", "--yank"], "--yank needs a VERSION"),
            ("skip", "piw-remove", ["a", "-s", "x" * 101], "--skip has more than 100"),
            ("unskip", "piw-remove", ["a", "--unskip"], "--unskip"),
            ("no operand", "piw-rebuild", [], "home.*missing"),
            ("part", "piw-rebuild", ["everything"], "'everything' is none of home, search, project and index"),
            ("home of package", "piw-rebuild", ["home", "a"], "home is not of a package"),
            ("search of package", "piw-rebuild", ["search", "a"], "search is not of a package"),
            ("name", "piw-rebuild", ["index", "-a-"], "unknown option -a-|'-a-'"),
            ("no operand", "piw-import", [], "FILE.*missing"),
            ("duration", "piw-import", [WHEEL, "--duration", "soon"], "soon"),
            ("negative duration", "piw-import", [WHEEL, "--duration=-1s"], "-1s"),
            ("abi none", "piw-import", [WHEEL, "--abi", "none"], "--abi 'none' is no ABI"),
            ("abi3", "piw-import", [WHEEL, "--abi", "abi3"], "--abi 'abi3' is no ABI"),
            ("abi3t", "piw-import", [WHEEL, "--abi", "abi3t"], "--abi 'abi3t' is no ABI"),
            ("a set of ABIs", "piw-import", [WHEEL, "--abi", "cp310.cp311"], "--abi 'cp310.cp311' is no ABI"),
            ("package", "piw-import", [WHEEL, "--abi", "cp311", "--package", "/"], "'/' can't be a package's name"),
            ("version", "piw-import", [WHEEL, "--abi", "cp311", "--package-version", "/"], "'/' can't be a version"),
            ("other package", "piw-import", [WHEEL, "other-1.0-py3-none-any.whl", "--abi", "cp311"],
             "other-1.0.* is no wheel of goldimp.*say --package"),
            ("other version", "piw-import", [WHEEL, "goldimp-2-py3-none-any.whl", "--abi", "cp311"],
             "is not of version 1.0.*say --package-version")):
        for wheel in args:
            if str(wheel).endswith(".whl"):
                world.wheel(wheel)
        refused(world, f"bad.{program}.{name}", program, [*args, "-y"] if args else [], 2, words, queue="nobody")
    for program in ("piw-import", "piw-add", "piw-remove", "piw-rebuild"):
        code, out, _ = Program(world, [world.farm.program(program), "--help"]).end()
        check(f"help.{program}", code == 0 and out.startswith(f"usage: {program}") and "--import-queue" in out, out)
        code, out, _ = Program(world, [world.farm.program(program), "--version"]).end()
        check(f"version.{program}", code == 0 and re.fullmatch(rf"{program} \S+\n", out), out)


def test_what_a_script_sees(world):
    """Good usage, but what it names isn't good: exit 1, as for a refusal of the master's, and no master is needed for it."""
    for name, program, args, words in (
            ("alias", "piw-add", ["UPPER_case..pkg", "-a", "totally-different"], "totally-different.*upper-case-pkg"),
            ("version's alias", "piw-add", ["a", "1.0", "-a", "b"], "'b' is no spelling of a"),
            ("abi needed", "piw-import", [world.wheel(WHEEL).name], "ABI tag none: say with --abi"),
            ("abi3 in the name", "piw-import", [world.wheel("goldimp-1.0-cp39-abi3-linux_x86_64.whl").name], "ABI tag abi3: say"),
            ("abi3t in the name", "piw-import", [world.wheel("goldimp-1.0-cp315-abi3.abi3t-linux_x86_64.whl").name],
             "ABI tag abi3.abi3t: say")):
        refused(world, f"script.{program}.{name}", program, [*args, "-y"], 1, words, queue="nobody")


def test_bad_files(world):
    good = world.wheel(WHEEL)
    bad = bytearray(good.read_bytes())
    bad[len(bad) // 2] ^= 1
    world.write("goldimp-7.0-py3-none-any.whl", bytes(bad))
    world.write("goldimp-8.0-py3-none-any.whl", "This is no wheel.")
    world.write("goldimp-9.0-py3-none-any.whl", "")
    world.write("renamed-1.0-py3-none-any.whl", good.read_bytes())
    world.write("wheel.zip", good.read_bytes())
    world.write("needs", "libfoo1\n\n# nothing\nlibbar1, libbaz1\n")
    world.write("latin", b"lib\xff\n")
    (world.dir / "folder.whl").mkdir(exist_ok=True)
    (world.dir / "goldimp-5.0-py3-none-any.whl").mkdir(exist_ok=True)
    (world.dir / "dangling-1.0-py3-none-any.whl").symlink_to("nowhere")
    for name, args, words in (
            ("missing", ["goldimp-6.0-py3-none-any.whl"], "goldimp-6.0-py3-none-any.whl: No such file"),
            ("dangling", ["dangling-1.0-py3-none-any.whl"], "dangling.*No such file"),
            ("name", ["wheel.zip"], "doesn't end in .whl"),
            ("form", ["folder.whl"], "form PACKAGE-VERSION"),
            ("folder", ["goldimp-5.0-py3-none-any.whl"], "not a regular file"),
            ("empty", ["goldimp-9.0-py3-none-any.whl"], "empty"),
            ("text", ["goldimp-8.0-py3-none-any.whl"], "is no sound wheel"),
            ("damaged", ["goldimp-7.0-py3-none-any.whl"], "is no sound wheel"),
            ("renamed", ["renamed-1.0-py3-none-any.whl"], "of another package or version"),
            ("second", [WHEEL, "goldimp-8.0-py3-none-any.whl"], "goldimp-8.0.* is no sound wheel"),
            ("twice", [WHEEL, WHEEL], "listed twice"),
            ("output missing", [WHEEL, "--output", "nowhere"], "nowhere.*No such file"),
            ("output folder", [WHEEL, "--output", "folder.whl"], "folder.whl is not a regular file"),
            ("dependencies missing", [WHEEL, "--dependencies", "nowhere"], "nowhere.*No such file"),
            ("dependencies line", [WHEEL, "--dependencies", "needs"], "needs: line 4: .*put blanks between names"),
            ("dependencies no UTF-8", [WHEEL, "--dependencies", "latin"], "latin: line 1: .*UTF-8")):
        refused(world, f"file.{name}", "piw-import", ["-y", "--abi", "cp311", *args], 1, words, queue="nobody")
    if os.geteuid() == 0:
        secret = world.wheel("goldimp-4.0-py3-none-any.whl")
        os.chown(secret, 0, 0)
        secret.chmod(0o600)
        refused(world, "file.unreadable", "piw-import", ["-y", "--abi", "cp311", secret.name], 1,
                "goldimp-4.0.*Permission denied", queue="nobody")
    check("file.still there", good.exists())


def test_no_master(world):
    """Nobody listens: said at once for a local socket, within seconds for others."""
    commands = (("piw-add", ["a", "-d", "x"]), ("piw-remove", ["a"]), ("piw-rebuild", ["home"]),
                ("piw-import", [world.wheel(WHEEL).name, "--abi", "cp311", "--delete"]))
    taken = socket.socket()  # bound, but nobody listens: no other program gets the port meanwhile
    taken.bind(("127.0.0.1", 0))
    nowhere = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    for number, (program, args) in enumerate(commands):
        for address in (world.farm.socket("nobody"), nowhere)[:1 if number % 3 else 2]:
            name = f"no_master.{address[:3]}.{program}"
            refused(world, name, program, ["-y", *args, "--import-queue", address], 1, f"no master listens at {address}")
    taken.close()
    refused(world, "no_master.address", "piw-remove", ["-y", "a", "--import-queue", "foo"], 1, "foo.*address")
    check("no_master.file kept", (world.dir / WHEEL).exists())


def test_questions(world):
    """Enter is yes, n is no (exit 2), the end of input is no answer (exit 1)."""
    world.wheel(WHEEL)
    commands = (("piw-add", ["a", "-d", "x"], "NEWPKG"), ("piw-remove", ["a", "1", "-b", "-s", "r"], "DELVERBLD"),
                ("piw-rebuild", ["project"], "REBUILD"), ("piw-rebuild", ["index"], "REBUILD"),
                ("piw-import", [WHEEL, "--abi", "cp311"], None))
    for program, args, done in commands:
        name = f"question.{program}.{args[0]}"
        code, out, err = world.run(program, *args, answer="n\n").end()
        check(f"{name}.no", code == 2 and out.endswith("? [Y/n] ") and err == "", (code, out, err))
        refused(world, f"{name}.end of input", program, args, 1, "no answer: nothing was done")
        if done is None:
            continue
        for answer in ("\n", "Y\n", "maybe\nyes\n"):
            running = world.run(program, *args, answer=answer)
            client = world.client()
            client.receive()
            client.answer("DONE", done)
            code, out, err = running.end()
            check(f"{name}.yes {answer!r}", code == 0 and "? [Y/n] " in out and err == "", (code, out, err))
            client.peer.close()
    for part in (["home"], ["search"], ["project", "A_b..C"], ["index", "A_b..C"]):
        running = world.run("piw-rebuild", *part)
        client = world.client()
        said = client.receive()
        if len(part) > 1: # masters that don't know other spellings would refuse them
            check(f"rebuild.canonical name.{part[0]}", "a-b-c" in str(said) and "A_b" not in str(said), said)
        client.answer("DONE", "REBUILD")
        code, out, _ = running.end()
        check(f"question.none.{part[0]}{len(part)}", code == 0 and "?" not in out, (code, out))
        client.peer.close()


def test_sentences(world):
    """What the master's words become for people; odd answers end the program too."""
    for program, args, answer, code, words in (
            ("piw-add", ["a", "-d", "x"], ("DONE", "NEWPKG"), 0, r"^package a was added$"),
            ("piw-add", ["a", "-d", "x"], ("DONE", "UPDPKG"), 0, "package a was known already"),
            ("piw-add", ["a", "-s", "x", "-d", "x"], ("ERROR", "SKIPPKG"), 1, "package a is known already.*piw-remove --skip"),
            ("piw-add", ["a", "1"], ("DONE", "NEWVER"), 0, "^version 1 of a was added"),
            ("piw-add", ["a", "1", "--yank"], ("ERROR", "YANKVER"), 1, "version 1 of a is known.*piw-remove --yank"),
            ("piw-add", ["a", "1"], ("ERROR", "NOPKG"), 1, "the package is unknown to the master; add it first"),
            ("piw-add", ["a", "1"], ("ERROR", "the moon\x1b[2J is full"), 1, r"the master refuses: the moon\\x1b\[2J is full"),
            ("piw-add", ["a", "1"], ("DONE", "DELPKG"), 1, "answered DELPKG, which is no answer"),
            ("piw-remove", ["a"], ("DONE", "DELPKG"), 0, "^package a was removed"),
            ("piw-remove", ["a"], ("ERROR", "NOPKG"), 1, "package a is unknown"),
            ("piw-remove", ["a", "2"], ("ERROR", "NOVER"), 1, "version 2 of a is unknown"),
            ("piw-rebuild", ["home"], ("SEND", "x.whl"), 1, "answered SEND, which is no answer"),
            ("piw-rebuild", ["home"], ("FOO", "x"), 1, "sent what is no message"),
            ("piw-rebuild", ["home"], None, 1, "went away before it answered")):
        running = world.run(program, "-y", *args)
        client = world.client()
        client.receive()
        if answer is None:
            client.peer.close()
        else:
            client.answer(*answer)
        got, out, err = running.end()
        said = out if code == 0 else err
        check(f"sentence.{program}.{'.'.join(answer or ['gone'])[:20].split(chr(27))[0]}", got == code and
              len(said.splitlines()) == 1 and re.search(words, said.removeprefix(f"{program}: ").rstrip()),
              (got, out, err))
        client.peer.close()
    running = world.run("piw-remove", "-qy", "a")
    client = world.client()
    client.receive()
    client.answer("DONE", "DELPKG")
    equal("sentence.quiet", running.end(), (0, "", ""))
    client.peer.close()


# --- Descriptions -----------------------------------------------------------------------------------------------------


class Pypi(http.server.BaseHTTPRequestHandler):
    """PyPI's JSON for a few packages."""

    def do_GET(self):  # pylint: disable=invalid-name
        package = self.path.split("/")[-2]
        summary = {"plain": "A plain thing", "long": "\u00e9" * 300, "null": None, "tricky": "a\x1b[2Jb"}.get(package, False)
        body = json.dumps({"info": {"name": package, "summary": summary}}).encode()
        if package == "html":
            body = b"<html>Hello</html>"
        self.send_response(503 if package == "broken" else 404 if package == "absent" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


def test_descriptions(world):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pypi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/pypi"
    nowhere = f"http://127.0.0.1:{farms.free_port()}/pypi"
    for package, base, wanted, warning in (
            ("plain", url, "A plain thing", ""), ("Plain", url, "A plain thing", ""),
            ("long", url, "\u00e9" * 199 + "\u2026", ""), ("null", url, "", ""), ("absent", url, "", ""),
            ("html", url, "", ""), ("tricky", url, "a\ufffd[2Jb", ""), ("broken", url, "", "answered 503"),
            ("plain", nowhere, "", "no description"), ("plain", "file:///etc", "", "no description")):
        running = world.run("piw-add", "-y", package, "--pypi-json", base)
        client = world.client()
        word, data = client.receive()
        client.answer("DONE", "NEWPKG")
        code, out, err = running.end()
        name = f"description.{package}{'' if base == url else '.nowhere'}"
        check(name, code == 0 and word == "ADDPKG" and data == [package, wanted, "", False, []], (code, word, data, out))
        check(f"{name}.says", warning in err if warning else err == "", err)
        client.peer.close()
    running = world.run("piw-add", "-y", "plain", "--pypi-json", nowhere, "-d", "x" * 300)
    client = world.client()
    equal("description.given is cut", client.receive()[1][1], "x" * 199 + "\u2026")
    client.answer("DONE", "NEWPKG")
    equal("description.given", running.end()[0], 0)
    client.peer.close()
    server.shutdown()


# --- Imports ----------------------------------------------------------------------------------------------------------


class Import:
    """One piw-import and the master it speaks to."""

    def __init__(self, world, *args, stderr=subprocess.PIPE):
        self.world = world
        self.program = Program(world, world.args("piw-import", "-y", *args), stderr=stderr)
        self.client = world.client()
        self.word, self.data = self.client.receive()

    def take(self, name, size, piece=65536, pause=0):
        """SEND, and the whole file; its bytes."""
        self.client.answer("SEND", name)
        peer = accept(self.world.files)
        if peer.receive() != [b"HELLO", b"0"]:
            raise farms.Failure("the transfer doesn't begin with HELLO")
        data = b""
        while len(data) < size:
            time.sleep(pause)
            peer.send(b"FETCH", b"%d" % len(data), b"%d" % min(piece, size - len(data)))
            data += peer.receive()[2]
        peer.send(b"DONE")
        word = self.client.receive()[0]
        peer.close()
        return data if word == "SENT" else None

    def end(self):
        result = self.program.end()
        self.client.peer.close()
        return result


def test_import_facts(world):
    world.write("needs", "# what they need\nlibfoo1\napt: libbar2:armhf  # another\npip: Other_Thing\n"
                         "pip: markupsafe\n: /opt/lib/libx.so\nlibfoo1\n")
    world.write("log", b"made by hand\n\xff\x1b")
    first = world.wheel("Gold.Imp-1.0-1-cp311-cp311-linux_x86_64.whl", requires_python="!=3.0.*, >=3.7",
                        requires=["MarkupSafe>=2", "x; extra == 'y'"])
    second = world.wheel("gold_imp-1.0.0-cp311-cp311-linux_armv7l.whl")
    running = Import(world, "--dependencies", "needs", "--output", "log", "--duration", "90m", first.name, second.name)
    wanted = [0, "gold-imp", "1.0", "cp311", True, ("tag", 2001, [0, 5400, 0]), "made by hand\n\ufffd\ufffd"]
    needs = {"apt": ["libfoo1", "libbar2:armhf"], "pip": ["markupsafe", "other-thing"], "": ["/opt/lib/libx.so"]}
    equal("facts.build", running.data[:6], wanted[:6])
    check("facts.log", running.data[6].startswith("made by hand\n\ufffd"), running.data[6])
    data = first.read_bytes()
    equal("facts.first", running.data[7][0],
          [first.name, len(data), wheels.sha256(data), "Gold.Imp", "1.0", "cp311", "cp311", "linux_x86_64",
           "!=3.0.*, >=3.7", needs, "/simple"])
    equal("facts.second", running.data[7][1][3:],
          ["gold_imp", "1.0.0", "cp311", "cp311", "linux_armv7l", None,
           {**needs, "pip": ["other-thing", "markupsafe"]}, "/simple"])
    running.client.answer("ERROR", "invalid ABI: cp311")
    code, out, err = running.end()
    check("facts.refused", code == 1 and err == "piw-import: the master refuses: invalid ABI: cp311\n", (code, err))
    check("facts.shown", all(words in out for words in ("Build of gold-imp 1.0 for cp311", first.name, "needs apt: libfoo1",
                                                       "needs library: /opt")), out)


def test_import_transfers(world):
    """Any order, a file again, small pieces and large; files are deleted after DONE and only then."""
    a = world.wheel("goldimp-1.0-cp311-cp311-linux_x86_64.whl", 3000000)
    b = world.wheel("goldimp-1.0-py3-none-any.whl")
    bytes_a, bytes_b = a.read_bytes(), b.read_bytes()
    running = Import(world, "-d", a.name, b.name)
    equal("transfer.second first", running.take(b.name, len(bytes_b)), bytes_b)
    equal("transfer.large pieces", running.take(a.name, len(bytes_a), 1 << 20), bytes_a)
    equal("transfer.again", running.take(a.name, len(bytes_a)), bytes_a)
    check("transfer.not deleted yet", a.exists() and b.exists())
    running.client.answer("DONE", "IMPORT")
    code, out, err = running.end()
    check("transfer.done", code == 0 and "build of goldimp 1.0 was imported" in out and
          re.fullmatch(f"warning: {a.name} came to the master damaged.*\n", err), (code, out, err))
    check("transfer.deleted", not a.exists() and not b.exists())

    c = world.wheel("goldimp-2.0-py3-none-any.whl")
    link = world.dir / "link" / "goldimp-2.0-py3-none-any.whl"
    world.farm.folder("import/link")
    link.symlink_to(c)
    running = Import(world, "--delete", "--abi", "cp311", "link/goldimp-2.0-py3-none-any.whl")
    running.take(c.name, c.stat().st_size)
    running.client.answer("ERROR", "not a sound wheel")
    code, _, err = running.end()
    check("transfer.refused", code == 1 and "not a sound wheel" in err and link.exists() and c.exists(), (code, err))

    for name, answers, words in (
            ("done too soon", [("DONE", "IMPORT")], "never asked for goldimp-2.0"),
            ("other file", [("SEND", "../../etc/passwd")], r"asked for \.\./\.\./etc/passwd, which is no file of this import")):
        running = Import(world, "--delete", "--abi", "cp311", c.name)
        for answer in answers:
            running.client.answer(*answer)
        code, _, err = running.end()
        check(f"transfer.{name}", code == 1 and re.search(words, err) and c.exists(), (code, err))

    running = Import(world, "--delete", "--abi", "cp311", "link/goldimp-2.0-py3-none-any.whl")
    running.take(c.name, c.stat().st_size)
    running.client.answer("DONE", "IMPORT")
    code, _, err = running.end()
    check("transfer.link", code == 0 and not link.is_symlink() and c.exists(), (code, err))


def test_import_endings(world):
    """The master goes away, or its file queue was never there."""
    wheel = world.wheel(WHEEL, 200000)
    running = Import(world, "-d", "--abi", "cp311", wheel.name)
    running.client.answer("SEND", wheel.name)
    peer = accept(world.files)
    peer.receive()
    running.client.peer.close()
    code, _, err = running.program.end()  # long before its patience ends
    peer.close()
    check("ending.master gone", code == 1 and re.search(f"{wheel.name} can't be sent: the master at .* went away", err), err)

    refused(world, "ending.no file queue", "piw-import", ["-y", "--abi", "cp311", wheel.name], 1,
            "no master listens at .*/s/none", files="none")
    port = farms.free_port()
    program = Program(world, [*world.args("piw-import", "-y", "--abi", "cp311", wheel.name, files=None), "--file-queue",
                              f"tcp://*:{port}"])
    client = world.client()
    client.receive()
    client.answer("SEND", wheel.name)
    code, _, err = program.end()
    check("ending.no tcp file queue", code == 1 and f"no master listens at tcp://localhost:{port}" in err, (code, err))
    client.peer.close()
    check("ending.file kept", wheel.exists())


def test_import_changed(world):
    """A file that becomes another one between the question and its transfer isn't sent, and is kept."""
    for name, change, words in (("shorter", lambda path: os.truncate(path, 1000), "it had 200000 bytes, now it has 1000"),
                                ("empty", lambda path: os.truncate(path, 0), "now it has 0"),
                                ("longer", lambda path: os.truncate(path, 300000), "now it has 300000"),
                                ("gone", os.unlink, "No such file or directory")):
        wheel = world.wheel(WHEEL, 200000)
        running = Import(world, "-d", "--abi", "cp311", wheel.name)
        change(wheel)
        running.client.answer("SEND", wheel.name)
        code, _, err = running.end()
        check(f"changed.{name}", code == 1 and re.search(f"{wheel.name} can't be sent: .*{words}$", err), (code, err))
        equal(f"changed.{name}.kept", wheel.exists(), name != "gone")


def test_import_progress(world):
    """A long transfer shows on a terminal how far it is, and nothing of it stays."""
    wheel = world.wheel(WHEEL, 300000)
    shown, terminal = pty.openpty()
    running = Import(world, "--abi", "cp311", wheel.name, stderr=terminal)
    os.close(terminal)
    running.take(wheel.name, 300000, 30000, pause=0.25)
    running.client.answer("DONE", "IMPORT")
    code, _, _ = running.end()
    text = b""
    with contextlib.suppress(OSError):
        while piece := os.read(shown, 65536):
            text += piece
    os.close(shown)
    steps = [int(step) for step in re.findall(rb"(\d+) % done", text)]
    check("progress.shown", code == 0 and len(steps) > 2 and steps == sorted(steps) and steps[-1] <= 100, (code, text))
    check("progress.wiped", text.endswith(b"\r\x1b[K"), text[-100:])


def test_rebuild_progress(world):
    """--wait asks for how far it is until it is over: a bar on a terminal, nothing with -q."""
    for name, more in (("bar", ()), ("quiet", ("-q",))):
        shown, terminal = pty.openpty()
        running = Program(world, world.args("piw-rebuild", "-y", "--wait", "index", *more), stderr=terminal)
        os.close(terminal)
        client = world.client()
        client.receive()
        client.answer("DONE", "REBUILD")
        for done in (1, 2, 3, 4, 5, 6, 7):
            client.receive()
            client.answer("AT", [done, 8, True])
        client.receive()
        client.answer("AT", [0, 0, False])
        code, out, _ = running.end()
        text = b""
        with contextlib.suppress(OSError):
            while piece := os.read(shown, 65536):
                text += piece
        os.close(shown)
        steps = [int(step) for step in re.findall(rb"\] (\d+) % done", text)]
        check(f"rebuild.{name}", code == 0 and "they are written" in out if name == "bar" else code == 0 and not out, (code, out))
        check(f"rebuild.{name} on the terminal", len(steps) > 1 and steps == sorted(steps) and text.endswith(b"\r\x1b[K")
              if name == "bar" else text == b"", text)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        return score.run((test_bad_words, test_what_a_script_sees, test_bad_files, test_no_master, test_questions, test_sentences, test_descriptions,
                          test_import_facts, test_import_transfers, test_import_endings, test_import_changed,
                          test_import_progress, test_rebuild_progress),
                         clerk.World(farm))


if __name__ == "__main__":
    sys.exit(main())
