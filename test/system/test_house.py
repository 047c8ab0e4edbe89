#!/usr/bin/python3
"""The rules of the house that a machine can check: headers compile alone, arrows point one way, files stay short."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import score
from score import report

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("B", ROOT / "build/plain")).resolve()
LINES_MAX = 800
# What only the core may include, and what only the parts that speak to the database may.
CORE_ONLY = {"zmq.h", "pthread.h", "dlfcn.h", "msgpack.h", "cbor.h"}
DATABASE = {"libpq-fe.h"}
DATABASE_PARTS = ("actors/the_oracle/", "actors/the_architect/", "tools/piw-initdb/", "tools/piw-audit/", "test/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(*folders):
    """C files and headers below the folders, as (path from the top, text)."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def compile_alone(headers):
    """None, or what the compiler says of the first header that needs others before it."""
    with tempfile.TemporaryDirectory(prefix="piw-", dir=os.environ.get("PIW_TMP")) as folder:
        for header in headers:
            source = pathlib.Path(folder, "alone.c")
            source.write_text(f'#include "{header}"\n', encoding="utf-8")
            command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Icore",
                       f"-I{BUILD}/gen", "-Iactors", "-Itools", "-I/usr/include/postgresql", str(source)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode != 0:
                return f"{header}: {done.stderr.splitlines()[0] if done.stderr else 'the compiler failed'}"
    return None


def headers_compile_alone():
    for folder in ("core", "actors", "tools"):
        headers = [str(path) for path in sorted((ROOT / folder).rglob("*.h"))]
        report(f"headers_compile_alone_{folder}", compile_alone(headers))
    generated = [str(path) for path in sorted((BUILD / "gen").glob("*.h"))]
    report("headers_compile_alone_generated", compile_alone(generated) if generated else "there are no generated headers")


def libraries_stay_where_they_belong():
    wrong = []
    for path, text in sources("actors", "plugins", "tools"):
        for _, name in INCLUDE.findall(text):
            base = name.rsplit("/", 1)[-1]
            if base in CORE_ONLY or name.startswith(("msgpack/", "cbor/")):
                wrong.append(f"{path} includes {name}")
            if base in DATABASE and not path.startswith(DATABASE_PARTS):
                wrong.append(f"{path} includes {name}")
    for path, text in sources("core"):
        wrong += [f"{path} includes {name}" for _, name in INCLUDE.findall(text) if name.rsplit("/", 1)[-1] in DATABASE]
    report("libraries_stay_where_they_belong", "; ".join(wrong))


def arrows_point_one_way():
    """The core knows nothing of the farm; shared parts know no actor; actors don't know each other."""
    actors = {path.name for path in (ROOT / "actors").iterdir() if path.is_dir() and path.name != "shared"}
    wrong = []
    for path, text in sources("core", "actors", "plugins", "tools"):
        parts = path.split("/")
        for _, name in INCLUDE.findall(text):
            first = name.split("/")[0]
            into_actor = first in actors or any(f"/{actor}/" in f"/{name}" for actor in actors)
            own = parts[0] == "actors" and parts[1] == first
            if parts[0] == "core" and (into_actor or first == "shared" or name.endswith(".piw.h")):
                # The queue that the runtime itself serves, and what it carries from there to tasks, are the core's own.
                if name not in ("admin.piw.h", "orders.piw.h", "recording.piw.h", "tasks.piw.h"):
                    wrong.append(f"{path} includes {name}")
            elif parts[0] != "core" and into_actor and not own:
                wrong.append(f"{path} includes {name}")
    report("arrows_point_one_way", "; ".join(wrong))


# The core's rooms: each may include those before it, and what plugins see (core/piw).
ROOMS = ("base", "type", "bus", "plugin", "port", "config", "record", "actor", "runtime")


def rooms_of_the_core():
    """No file lies outside of a room, none includes a later room's header, and no object calls into a later room."""
    wrong = [f"{path} lies in no room" for path, _ in sources("core")
             if path.split("/")[1] not in ROOMS + ("piw",)]
    for path, text in sources("core"):
        room = path.split("/")[1]
        for _, name in INCLUDE.findall(text):
            first = name.split("/")[0]
            if first in ROOMS and (room == "piw" or ROOMS.index(first) > ROOMS.index(room)):
                wrong.append(f"{path} includes {name}")
    defined, used = {}, []
    for path in sorted((BUILD / "obj" / "core").rglob("*.o")):
        room = path.parent.name
        if not (ROOT / path.relative_to(BUILD / "obj").with_suffix(".c")).exists():
            continue  # left over from before its source was moved
        for line in subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, symbol = line.split()[-2:]
            if kind == "U":
                used.append((room, path.name, symbol))
            elif kind.isupper():
                defined[symbol] = room
    for room, name, symbol in used:
        if symbol in defined and ROOMS.index(defined[symbol]) > ROOMS.index(room):
            wrong.append(f"{room}/{name} uses {symbol} of {defined[symbol]}")
    report("rooms_of_the_core", "; ".join(wrong) if defined else "there are no objects of the core")


# Words of the farm: its programs, its actors, what it is about. The default files keep their name for compatibility.
FARM = re.compile(r"slave|\bscribe|oracle|secretary|juggler|wheel|pypi|seraph|lumberjack|architect\b|gazer|chase|brother|"
                  r"\bimporter|\bfarm", re.IGNORECASE)
FARM_ALLOWED = re.compile(r"(/etc|/local/etc|config)/piwheels(\.conf)?(/piwheels\.conf)?")


def the_core_knows_no_farm():
    wrong = []
    for path, text in sources("core"):
        for number, line in enumerate(text.splitlines(), 1):
            wrong += [f"{path}:{number} says {word}" for word in FARM.findall(FARM_ALLOWED.sub("", line))]
    report("the_core_knows_no_farm", "; ".join(wrong))


def calls_within(folder):
    """{file: {file it calls into: a symbol of that}} among the objects of one folder's .c files."""
    defined, used = {}, []
    for path in sorted((BUILD / "obj" / folder).glob("*.o")):
        if not (ROOT / folder / f"{path.stem}.c").exists():
            continue  # left over from before its source was moved
        for line in subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, symbol = line.split()[-2:]
            if kind == "U":
                used.append((f"{path.stem}.c", symbol))
            elif kind.isupper():
                defined[symbol] = f"{path.stem}.c"
    calls = {}
    for name, symbol in used:
        if defined.get(symbol, name) != name:
            calls.setdefault(name, {}).setdefault(defined[symbol], symbol)
    return calls


def circle(calls):
    """One circle as [(file, symbol it uses of the next)], or None."""
    done = set()

    def follow(name, way):
        if name in way:
            names = way[way.index(name):]
            return [(at, calls[at][to]) for at, to in zip(names, names[1:] + names[:1])]
        if name in done:
            return None
        for to in sorted(calls.get(name, {})):
            found = follow(to, way + [name])
            if found:
                return found
        done.add(name)
        return None

    return next((found for name in sorted(calls) if (found := follow(name, []))), None)


def calls_run_one_way():
    """Among the .c files of one plugin, tool, shared part or room no call leads back to where it came from."""
    wrong, seen = [], 0
    folders = {str(path.parent.relative_to(ROOT)) for top in ("actors", "plugins", "tools", "core")
               for path in (ROOT / top).rglob("*.c")}
    for folder in sorted(folders):
        calls = calls_within(folder)
        seen += len(calls)
        found = circle(calls)
        if found:
            wrong.append(f"{folder}: " + ", ".join(f"{name} uses {symbol} of {found[(i + 1) % len(found)][0]}"
                                                   for i, (name, symbol) in enumerate(found)))
    report("calls_run_one_way", "; ".join(wrong) if seen else "there are no objects")


def files_stay_short():
    """What people write; what is generated (docs/protocol.md) or kept as it once was (test/schema) may be longer."""
    kinds = (".c", ".h", ".py", ".piw", ".sql", ".md")
    written = [path for folder in ("core", "proto", "actors", "plugins", "tools", "schema", "test", "docs")
               for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds]
    written += [ROOT / name for name in ("Makefile", "README.md", "piwheels.conf.example", "test/run")]
    left_out = (ROOT / "docs" / "protocol.md", ROOT / "test" / "schema")
    long = [f"{path.relative_to(ROOT)} has {lines} lines" for path in written
            if not any(path == out or out in path.parents for out in left_out)
            and (lines := path.read_text(encoding="utf-8").count("\n")) > LINES_MAX]
    report("files_stay_short", "; ".join(long))


def no_shell_is_started():
    call = re.compile(r"\b(system|popen)\s*\(")
    wrong = []
    for path, text in sources("core", "actors", "plugins", "tools"):
        code = re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", "", text, flags=re.DOTALL)
        wrong += [f"{path} calls {name}" for name in call.findall(code)]
    report("no_shell_is_started", "; ".join(wrong))


def pages_name_the_metadata_once():
    """In HTML by its newer name alone: with the older one beside it Debian 12's pip installs hardly anything by the name that
    people type."""
    wrong = [path for path, text in sources("actors", "plugins") if "data-dist-info-metadata=" in text]
    report("pages_name_the_metadata_once", "; ".join(wrong))


def headers_are_followed_however_the_folder_is_spelt():
    """An object is made anew for a changed header, also when the build before named its folder in another way."""
    wrong = []
    for spelling in (str(BUILD), os.path.relpath(BUILD, ROOT), f"{BUILD.parent}/./{BUILD.name}/"):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(["make", "-n", "-W", "core/bus/mailbox.h", f"B={spelling}", "all"], cwd=ROOT, env=env,
                              capture_output=True, text=True, timeout=60, check=False)
        if not re.search(r"^\S+ .* -c -o \S+/core/bus/mailbox\.o core/bus/mailbox\.c$", done.stdout, re.MULTILINE):
            wrong.append(f"with B={spelling} nothing is made for core/bus/mailbox.h {done.stderr.strip()}")
    report("headers_are_followed_however_the_folder_is_spelt", "; ".join(wrong))


def paths_in_docs_exist():
    elsewhere = {"writing-a-task.md": ("proto/backlog.piw", "test/probe.c", "test/run")}  # in the folder that the page makes
    path = re.compile(r"(?<![\w/.$~-])(?:core|actors|proto|plugins|schema|tools|test|docs|packaging)/[\w.*/-]*[\w*/]")
    named = [(doc, name) for doc in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
             for name in sorted(set(path.findall(doc.read_text(encoding="utf-8")))) if name not in elsewhere.get(doc.name, ())]
    wrong = [f"{doc.name} names {name}" for doc, name in named if not any(ROOT.glob(name.rstrip("/")))]
    report("paths_in_docs_exist", "; ".join(wrong) if named else "no document names a path")


def anchors(page):
    """The anchors that GitHub, and so every reader of the pages, makes of the headings of this page."""
    found, code = set(), False
    for line in page.read_text(encoding="utf-8").splitlines():
        code ^= line.startswith("```")
        heading = re.match(r"#{1,6} +(.*?)\s*$", line)
        if heading and not code:
            slug = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            found.add(slug if slug not in found else f"{slug}-{sum(s.startswith(slug) for s in found)}")
    return found


def texts_with_references():
    """(path from the top, text) of what people read in an editor: code, tests, settings, documents."""
    kinds = (".c", ".h", ".py", ".piw", ".sql", ".md", ".conf", ".service", ".sh")
    for folder in ("core", "proto", "actors", "plugins", "tools", "schema", "test", "docs", "packaging", "findings"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and (path.suffix in kinds or "." not in path.name):
                yield path, path.read_text(encoding="utf-8", errors="replace")
    for name in ("Makefile", "README.md", "piwheels.conf.example"):
        yield ROOT / name, (ROOT / name).read_text(encoding="utf-8")


def references_lead_somewhere():
    """The pages of docs/ that any text names, with or without #heading, and links between pages, are there with that heading."""
    named = re.compile(r"(?<![\w/])docs/([\w-]+\.md)(?:#([\w-]+))?")
    link = re.compile(r"\]\(([\w/.-]*\.md)?(?:#([\w-]+))?\)")
    known, wrong, count = {}, [], 0
    for path, text in texts_with_references():
        found = [(ROOT / "docs" / page, anchor) for page, anchor in named.findall(text)]
        if path.suffix == ".md":
            found += [(path.parent / page if page else path, anchor) for page, anchor in link.findall(text) if page or anchor]
        for page, anchor in found:
            count += 1
            page = page.resolve()
            if page not in known:
                known[page] = anchors(page) if page.exists() else None
            if known[page] is None:
                wrong.append(f"{path.relative_to(ROOT)} names {page.name}, which is not there")
            elif anchor and anchor not in known[page]:
                wrong.append(f"{path.relative_to(ROOT)} names {page.name}#{anchor}, a heading that isn't there")
    report("references_lead_somewhere", "; ".join(sorted(set(wrong))) if count > 50 else f"only {count} references are found")


def nothing_cites_papers_from_elsewhere():
    """Whoever has a clone can follow every reference: none is to a paper that the repository doesn't hold."""
    cited = re.compile(r"\b(?:SPEC|DESIGN|STYLE)\b|§")
    wrong = [f"{path.relative_to(ROOT)}:{number}" for path, text in texts_with_references()
             if path != pathlib.Path(__file__).resolve()
             for number, line in enumerate(text.splitlines(), 1) if cited.search(line)]
    report("nothing_cites_papers_from_elsewhere", "; ".join(wrong))


def options_are_in_the_example():
    """Each key of a standard task's section stands in piwheels.conf.example, commented or not."""
    example = (ROOT / "piwheels.conf.example").read_text(encoding="utf-8")
    keys = [(path, key) for path, text in sources("actors")
            for table in re.findall(r"piw_opt\s+\w+\[\]\s*=\s*\{(.*?)\n?\};", text, re.DOTALL)
            for key in re.findall(r'\.name\s*=\s*"([^"]+)"', table)]
    wrong = [f"{key} of {path}" for path, key in keys if not re.search(rf"^#?\s*{re.escape(key)}\s*=", example, re.MULTILINE)]
    report("options_are_in_the_example", "; ".join(wrong) if keys else "no task has an option")


def messages_are_real():
    """The parts of each message in the guide's table of troubles between its … stand in the sources, in which literals that follow each
    other are one."""
    text = "\n".join(path.read_text(encoding="utf-8") for folder in ("core", "actors", "tools") for path in (ROOT / folder).rglob("*.c"))
    text = re.sub(r'"\s*\n\s*"', "", text)
    messages = [message for message in re.findall(r"(?m)^\| [^|]*?`([^`|]*)`[^|]*\|",
                                                  (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")) if len(message.split()) > 2]
    wrong = [f"no program says {part!r} of `{message}`" for message in messages for part in map(str.strip, message.split("…")) if part not in text]
    report("messages_are_real", "; ".join(wrong) if messages else "docs/troubleshooting.md has no messages")


def commands_are_known():
    """Commands in the running text of docs: the program is there, and its help has the command of piw-ctl and the long options."""
    helps, wrong = {}, []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for code in re.findall(r"`(piw-[a-z]+ [^`\n]+)`", page.read_text(encoding="utf-8")):
            name, *words = code.split()
            program = BUILD / "bin" / name
            if not program.exists():
                wrong.append(f"{page.name}: there is no program for `{code}`")
                continue
            if name not in helps:
                helps[name] = subprocess.run([str(program), "--help"], capture_output=True, text=True, timeout=60, check=False).stdout
            known = [word.split("=")[0] for word in words if re.match("--[a-z]", word)]
            operand = next((word for word in words if not word.startswith("-")), "")
            if name == "piw-ctl" and re.fullmatch("[a-z]+", operand):
                known.append(operand)
            wrong += [f"{page.name}: {name} doesn't know {word} in `{code}`" for word in known
                      if not re.search(rf"(?<![\w-]){re.escape(word)}\b", helps[name])]
    report("commands_are_known", "; ".join(wrong) if helps else "docs have no commands")


def the_environment_reaches_tests():
    """What a test takes from the environment in place of its own choice, test/run passes on."""
    run, wrong = (ROOT / "test/run").read_text(encoding="utf-8"), []
    for path in sorted((ROOT / "test").glob("*/*.py")):
        wrong += [f"{path.name} looks for {name}, which test/run takes away"
                  for name in re.findall(r'environ\.get\("(PIW_\w+)"\) (?:or|else) ', path.read_text(encoding="utf-8"))
                  if f'"{name}"' not in run and f"{name}=" not in run]
    report("the_environment_reaches_tests", "; ".join(wrong))


def testing_page_has_what_there_is():
    """Suites with their budgets, and targets of the fuzzer, stand in the tables of docs/testing.md."""
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    suites = re.findall(r'^    Suite\("(\w+)", "(\w*)", (\d+),', (ROOT / "test" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    rows = {tuple(row[:2]): row[-1] for row in ([cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()
                                                if line.startswith("|"))}
    wrong = [f"{name} {variant} has {minutes} minutes, not {rows.get((name, variant or '-'))}" for name, variant, minutes in suites
             if name != "build" and not rows.get((name, variant or "-"), "").startswith(f"{minutes} min")]
    wrong += [f"fuzz target {path.stem} isn't there" for path in (ROOT / "test" / "fuzz").glob("fuzz_*.c")
              if not re.search(rf"^\|.*`{path.stem.removeprefix('fuzz_')}`.*\|.*\|$", page, re.MULTILINE)]
    report("testing_page_has_what_there_is", "; ".join(wrong) if suites else "no suite was found")


def continuations_are_functions():
    """Where an answer comes back to is said by PIW_ON, which the compiler compares with the functions there are; no text does."""
    call = re.compile(r'\bpiw_(?:call|timer|timer_stop|watch|work)\([^;"()]*"')
    entry = re.compile(r"\bpiw_continuation\s+\w+\[\]\s*=\s*\{[^;]*?\"")
    wrong = [f"{path}:{text[:found.start()].count(chr(10)) + 1}" for path, text in sources("core", "actors", "plugins", "tools")
             for pattern in (call, entry) for found in pattern.finditer(text)]
    report("continuations_are_functions", "; ".join(wrong))


DIALECT = ROOT / "test" / "dialect"
# One deviation for each rule of test/dialect: the rule, what is planted, and what --fix makes of it (None: it can't).
PLANTED = (
    ("opening", "int planted;\n", None),
    ("opening", "/* old.c — planted. */\n", "/* planted.c — planted. */\n"),
    ("sizeof", "int size = sizeof *at->list[1] + sizeof to;\n", "int size = sizeof(*at->list[1]) + sizeof(to);\n"),
    ("error", "int run(piw_err *why)\n{\n    return why->code;\n}\n", "int run(piw_err *err)\n{\n    return err->code;\n}\n"),
    ("error", "void run(piw_err *err)\n{\n    piw_err found = {0};\n    look(&found, err);\n}\n",
     "void run(piw_err *err)\n{\n    piw_err found_err = {0};\n    look(&found_err, err);\n}\n"),
    ("result", "int run(void)\n{\n    int ret = look();\n    return ret;\n}\n",
     "int run(void)\n{\n    int rc = look();\n    return rc;\n}\n"),
    ("soul", "void run(piw_task *task)\n{\n    planted *p = piw_soul(task);\n    p->list.p = 1;\n}\n",
     "void run(piw_task *task)\n{\n    planted *self = piw_soul(task);\n    self->list.p = 1;\n}\n"),
    ("print64", 'void run(int64_t a, uint64_t b)\n{\n    say("%d: %" PRId64 " of %" PRIx64, 1, a + 1, b);\n}\n',
     'void run(int64_t a, uint64_t b)\n{\n    say("%d: %lld of %llx", 1, (long long)(a + 1), (unsigned long long)b);\n}\n'),
    ("one-line", "int run(void) { return 0; }\n", "int run(void)\n{\n    return 0;\n}\n"),
    ("braces", "void run(void)\n{\n    if (a) {\n        b();\n    }\n}\n", "void run(void)\n{\n    if (a)\n        b();\n}\n"),
    ("handler", "static int told(piw_task *task, piw_msg *msg)\n{\n    return 0;\n}\n\n"
     "static const piw_handler handlers[] = {{&door_protocol_def, DOOR_KNOCK, told}, PIW_HANDLERS_END};\n",
     "static int on_told(piw_task *task, piw_msg *msg)\n{\n    return 0;\n}\n\n"
     "static const piw_handler handlers[] = {{&door_protocol_def, DOOR_KNOCK, on_told}, PIW_HANDLERS_END};\n"),
    ("handler", "int on_told(piw_task *task, piw_msg *request)\n{\n    return look(task, request);\n}\n",
     "int on_told(piw_task *task, piw_msg *msg)\n{\n    return look(task, msg);\n}\n"),
)


def say_dialect(*options):
    return subprocess.run([str(DIALECT), *options], capture_output=True, text=True, timeout=300, check=False)


def dialect():
    """Everything is in the one dialect, and test/dialect sees what isn't, and mends it."""
    done = say_dialect()
    report("dialect", None if done.returncode == 0 else "test/dialect --fix mends most of it: " +
           "; ".join((done.stdout or done.stderr).splitlines()[:20]))
    wrong = []
    for rule, planted, mended in PLANTED:
        with tempfile.TemporaryDirectory(prefix="piw-", dir=os.environ.get("PIW_TMP")) as folder:
            source = pathlib.Path(folder, "core", "planted.c")
            source.parent.mkdir()
            shutil.copy(ROOT / ".clang-format", folder)
            head = "" if rule == "opening" else "/* planted.c — planted. */\n"
            source.write_text(head + planted, encoding="utf-8")
            seen = say_dialect("--root", folder)
            if seen.returncode == 0 or f" {rule}: " not in seen.stdout:
                wrong.append(f"{rule} does not see {planted!r}: {seen.stdout}{seen.stderr}")
            say_dialect("--root", folder, "--fix")
            if mended is not None and source.read_text(encoding="utf-8") != head + mended:
                wrong.append(f"{rule} makes of {planted!r}: {source.read_text(encoding='utf-8')!r}")
    untried = set(re.findall(r"^def rule_(\w+)", DIALECT.read_text(encoding="utf-8"), re.MULTILINE)) - \
        {rule.replace("-", "_") for rule, _, _ in PLANTED}
    report("dialect_sees", "; ".join(wrong + [f"nothing is planted for {rule}" for rule in sorted(untried)]))


headers_compile_alone()
libraries_stay_where_they_belong()
arrows_point_one_way()
rooms_of_the_core()
the_core_knows_no_farm()
continuations_are_functions()
calls_run_one_way()
files_stay_short()
no_shell_is_started()
paths_in_docs_exist()
references_lead_somewhere()
nothing_cites_papers_from_elsewhere()
options_are_in_the_example()
messages_are_real()
commands_are_known()
the_environment_reaches_tests()
testing_page_has_what_there_is()
pages_name_the_metadata_once()
headers_are_followed_however_the_folder_is_spelt()
dialect()
sys.exit(score.code())
