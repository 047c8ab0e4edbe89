#!/usr/bin/python3
"""What holds for every program there is: --help and --version, one clear line and exit code 2 for bad usage, exit code 1 for
a configuration file that can't be read; and its keys stand in piwheels.conf.example, each once, with the right default.

Programs are found in the build; nothing lists them.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import score
from score import check

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("B", ROOT / "build" / "plain")).resolve()
EXAMPLE = ROOT / "piwheels.conf.example"
BOUND_S = 60
COMMON = ("help", "version", "configuration", "quiet", "verbose", "log-file")


def run(program, *args):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PIW_", "NOTIFY", "JOURNAL"))}
    if program.name == "piw-idl":
        env["ASAN_OPTIONS"] = "detect_leaks=0"  # keeps its trees until it ends
    return subprocess.run([program, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=BOUND_S, check=False)


def one_line(program, done, code, words):
    lines = done.stderr.splitlines()
    return done.returncode == code and done.stdout == "" and len(lines) == 1 and lines[0].startswith(f"{program.name}: ") \
        and re.search(words, lines[0])


def check_usage(program):
    done = run(program, "--help")
    check(f"{program.name}.help", done.returncode == 0 and done.stderr == "" and
          done.stdout.startswith(f"usage: {program.name}"), done)
    wide = [line for line in done.stdout.splitlines() if len(line) > 100]
    check(f"{program.name}.help fits a terminal", not wide, wide)
    done = run(program, "-h")
    check(f"{program.name}.-h", done.returncode == 0 and done.stderr == "" and done.stdout != "", done)
    done = run(program, "--version")
    check(f"{program.name}.version", done.returncode == 0 and done.stderr == "" and
          re.fullmatch(rf"{program.name} \d[\d.]*\n", done.stdout), done)
    done = run(program, "--no-such-option")
    check(f"{program.name}.unknown option", one_line(program, done, 2, "no-such-option|holds a task"), done)


def options_of(program):
    """{long option: default or None}, as --help tells."""
    text = re.sub(r"\n {20,}", " ", run(program, "--help").stdout)
    found = {}
    for line in text.splitlines():
        option = re.match(r"  (?:-\w, |    )--([a-z][a-z-]*)( \S+)?", line)
        if option:
            default = re.search(r"\(default: ([^()]*)\)", line)
            found[option.group(1)] = default.group(1) if default else None
    return found


def operands_of(program):
    """As many words as the usage line wants at least."""
    usage = run(program, "--help").stdout.splitlines()[0].split("[options]", 1)[-1]
    while "[" in usage:
        usage = re.sub(r"\[[^][]*\]", "", usage)
    choices = usage.split("|")  # of words that are written so, and what stands for one
    return [word if word.islower() and len(choices) > 1 else "word" for word in choices[0].split()]


def check_values(program, options):
    """Values that no option takes, and files that aren't there."""
    operands = operands_of(program)
    failed = 2 if program.name in ("piw-audit", "piw-replay") else 1  # whose 1 says that something was found
    done = run(program, "-c", "/nowhere/piwheels.conf", *operands)
    check(f"{program.name}.configuration file", one_line(program, done, failed, "/nowhere/piwheels.conf"), done)
    done = run(program, "-c", "/dev/null", "-l", "/nowhere/log", *operands)
    check(f"{program.name}.log file", one_line(program, done, failed, "/nowhere/log"), done)
    done = run(program, "--configuration")
    check(f"{program.name}.value missing", one_line(program, done, 2, "--configuration needs a value"), done)
    if "codec" in options:
        done = run(program, "-c", "/dev/null", "--codec=json", *operands)
        check(f"{program.name}.codec", one_line(program, done, 2, "json"), done)


def example_keys():
    """{section: [(key, value)]} of the example file, commented out or not; "" is what every program reads."""
    sections, section = {"": []}, ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        header = re.match(r"\[([^\]]+)\]$", line)
        if header:
            section = header.group(1)
            sections.setdefault(section, [])
        key = re.match(r"#?([a-z][a-z-]*) = (.*)$", line)
        if key:
            sections[section].append((key.group(1), key.group(2).strip("'\"")))
    return sections


def check_example_once(sections):
    twice = [f"{key} in [{section}]" for section, keys in sections.items()
             for key in sorted({key for key, _ in keys}) if [k for k, _ in keys].count(key) > 1]
    check("example.each key once", not twice, ", ".join(twice))


def check_example(program, options, sections):
    known = dict(sections[""])
    known.update(sections.get(program.name[4:], ()))
    text = re.sub(r"\s+", " ", run(program, "--help").stdout)
    if "are also keys of" not in text:
        return
    alone = re.search(r"Not keys: ([^.]*)\.", text)
    left_out = re.findall(r"--([a-z-]+)", alone.group(1)) if alone else []
    wanted = [option for option in options if option not in (*COMMON, *left_out)]
    missing = [option for option in wanted if option not in known]
    check(f"{program.name}.keys in the example", not missing, ", ".join(missing))
    # A default in words (the host's name), or with a word to fill in (tcp://HOST:5555), is no value.
    wrong = [f"{option} = {known[option]}, but the default is {options[option]}" for option in wanted
             if option in known and options[option] not in (None, known[option]) and not re.search(r"[A-Z ]", options[option])]
    check(f"{program.name}.defaults in the example", not wrong, "; ".join(wrong))


def check_section(program):
    """What stands in its section is nobody else's."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", dir=os.environ.get("PIW_TMP")) as file:
        file.write(f"[{program.name[4:]}]\nno-such-key = 1\n")
        file.flush()
        os.chmod(file.name, 0o644)
        reader = program.with_name("piw-slave" if program.name == "piw-initdb" else "piw-initdb")
        done = run(reader, "-v", "-c", file.name, *(["-d", "x:"] if reader.name == "piw-initdb" else ["-m", ""]))
    check(f"{program.name}.section is its own", done.returncode == 1 and "no-such-key" not in done.stderr, done)


def main():
    sections = example_keys()
    check_example_once(sections)
    programs = sorted((BUILD / "bin").glob("piw-*"))
    check("programs are built", len(programs) >= 5, programs)
    for program in programs:
        check_usage(program)
        if program.name in ("piw-idl", "piw-soul"):
            continue
        options = options_of(program)
        check_values(program, options)
        check_section(program)
        check_example(program, options, sections)
    # The other way round: a section that a program reads holds nothing that it doesn't know.
    for program in programs:
        keys = [key for key, _ in sections.get(program.name[4:], ())]
        unknown = [key for key in keys if key not in options_of(program)]
        check(f"{program.name}.section of the example", not unknown, ", ".join(unknown))
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
