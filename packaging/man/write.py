#!/usr/bin/python3
"""packaging/man/write.py BUILD VERSION PROGRAM… — manual pages and completion from option tables. `make man` calls it.

Writes below BUILD/man/share, laid out as below /usr/share: a page for each program and one for piwheels.conf, what bash completes and
what zsh does. The tables are the programs' own: BUILD/man/tables.so, loaded before a program's library, has it print them;
BUILD/man/sections prints those of the master's sections and of its tasks.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

BOUND_S = 60
# Without tables: what they print for --help is the page.
PLAIN = ("piw-idl", "piw-soul")
# Where one reads on, below the documentation's folder.
PAGES = {
    "piw-ctl": "operating.md", "piw-initdb": "database.md", "piw-setup": "install.md", "piw-logger": "web-logs.md",
    "piw-add": "importing.md", "piw-import": "importing.md", "piw-remove": "importing.md", "piw-rebuild": "importing.md",
    "piw-idl": "idl.md", "piw-new-task": "writing-a-task.md", "piw-loadgen": "performance.md", "piw-replay": "recording.md",
}
KINDS = {
    "duration": "A span such as 3h, 90m, 1h30m, 45s or 250ms; a bare number is seconds.",
    "size": "Bytes, or with K, M or G.",
    "path": "A leading ~ is a home directory.",
}


def roff(text):
    """Text as roff prints it: no escapes, no requests, dashes that can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return "\n".join("\\&" + line if line.startswith((".", "\\(aq")) else line for line in text.split("\n"))


def sentence(text):
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", ":")) else text + "."


def value_of(option):
    if option["kind"] == "switch":
        return ""
    return option["value"] or option["choices"] or "VALUE"


def explained(option, key=False):
    """What help, default and environment say of an option, as sentences."""
    said = [sentence(option["help"] or "")]
    if option["choices"]:
        said.append(sentence("one of " + ", ".join(option["choices"].split("|"))))
    if option["kind"] == "list":
        said.append("A list: [a, b]." if key else "May be repeated.")
    if option["kind"] in KINDS:
        said.append(KINDS[option["kind"]])
    if option["fallback"] and option["kind"] != "switch":
        said.append(f"Default: {option['fallback']}.")
    elif option["kind"] == "switch" and key:
        said.append(f"Default: {option['fallback'] or 'no'}.")
    if option["env"]:
        said.append(f"Environment: {option['env']}.")
    return " ".join(said)


def option_entry(option):
    short = f"\\fB\\-{option['short']}\\fR, " if option["short"] else ""
    value = f" \\fI{roff(value_of(option))}\\fR" if value_of(option) else ""
    return f".TP\n{short}\\fB\\-\\-{roff(option['name'])}\\fR{value}\n{roff(explained(option))}\n"


def key_entry(option):
    value = value_of(option) or "yes|no"
    return f".TP\n\\fB{roff(option['name'])}\\fR = \\fI{roff(value)}\\fR\n{roff(explained(option, key=True))}\n"


def head(title, section, version, summary):
    return f".TH {title} {section} \"\" \"piwheels {version}\" \"piwheels\"\n.SH NAME\n{roff(title)} \\- {roff(summary)}\n"


def short_summary(text):
    first = re.split(r"(?<=[.;:])\s", text.strip())[0].rstrip(".;:")
    return first[:1].lower() + first[1:]


def see_also(program):
    other = ["piwheels.conf(5)"] if program not in PLAIN else []
    names = other + [f"{name}(1)" for name in ("piw-ctl", "piw-master", "piw-slave") if name != program]
    entries = ",\n".join(f".BR {roff(name[:-3])} ({name[-2]})" for name in names).replace(",\n", " ,\n")
    page = PAGES.get(program, "programs.md")
    return f".SH SEE ALSO\n{entries}\n.PP\n{roff(f'{page}, in the documentation that is installed with the package.')}\n"


def paragraphs(text):
    """Prose as it comes; lines that begin with blanks as they are."""
    out = []
    for line in text.split("\n"):
        kept = line.startswith(" ")
        if kept != (bool(out) and out[-1][0]) or not out:
            out.append((kept, []))
        out[-1][1].append(roff(line))
    return "".join(f".PP\n.nf\n{chr(10).join(lines)}\n.fi\n" if kept else f".PP\n{chr(10).join(lines)}\n" for kept, lines in out)


def exit_codes():
    codes = (("0", "success"), ("1", "failure, also a bad value in a file or the environment"), ("2", "bad usage, or the user said no"))
    return ".SH EXIT STATUS\n" + "".join(f".TP\n{code}\n{roff(sentence(meaning))}\n" for code, meaning in codes)


def program_page(table, version):
    name = table["name"]
    operands = f"\n\\fI{roff(table['operands'])}\\fR" if table["operands"] else ""
    page = head(name, 1, version, short_summary(table["summary"]))
    page += f".SH SYNOPSIS\n\\fB{roff(name)}\\fR [\\fIoptions\\fR]{operands}\n.SH DESCRIPTION\n{paragraphs(table['summary'])}"
    page += ".SH OPTIONS\n" + "".join(option_entry(option) for option in table["common"] + table["options"])
    page += ".SH FILES\n.TP\n.I /etc/piwheels.conf\n.TQ\n.I /usr/local/etc/piwheels.conf\n.TQ\n.I \\(ti/.config/piwheels/piwheels.conf\n"
    page += roff(f"Long options are keys there, in section [{table['section']}] or before any section; a later file wins, and the "
                 "command line wins over all.") + "\n"
    return page + exit_codes() + see_also(name)


def plain_page(name, help_text, version):
    usage, _, told = help_text.strip().partition("\n\n")
    lines = [line.strip().removeprefix("usage: ") for line in usage.split("\n")]
    page = head(name, 1, version, short_summary(told))
    page += ".SH SYNOPSIS\n.nf\n" + "\n".join(roff(line) for line in lines) + f"\n.fi\n.SH DESCRIPTION\n{paragraphs(told)}"
    return page + exit_codes() + see_also(name)


def conf_page(tables, sections, version):
    page = head("piwheels.conf", 5, version, "configuration of the programs of a piwheels farm")
    page += """.SH DESCRIPTION
The programs read
.IR /etc/piwheels.conf ,
then
.IR /usr/local/etc/piwheels.conf ,
then
.IR \\(ti/.config/piwheels/piwheels.conf ,
later ones winning; or only the file that
.B \\-c
names. The command line wins over all.
.PP
Written are
.BR "key = value" ,
.B "key: value"
or a bare
.B key
for a switch; lists as
.BR "[a, b]" ;
values that begin or end in blanks, or hold \\(dq #\\(dq, in quotes. Comments begin with # or ;. Keys before any section, or in one that
belongs to no program, are everybody\\(aqs. A key that a program doesn\\(aqt know is ignored; in the sections of the master\\(aqs parts
it is an error.
.PP
.B piw\\-master \\-\\-print\\-config
shows every value and where it comes from,
.B piw\\-master \\-\\-check\\-config
names what nobody reads.
.SH EVERY PROGRAM
"""
    page += "".join(key_entry(option) for option in tables[0]["common"] if not option["cli_only"])
    for table in tables:
        keys = [option for option in table["options"] if not option["cli_only"]]
        if keys:
            page += f".SH [{roff(table['section'])}]\n{roff('Keys of ' + table['name'] + '.')}\n"
            page += "".join(key_entry(option) for option in keys)
    for section in sections:
        if section["options"]:
            page += f".SH [{roff(section['section'])}]\n"
            page += roff(sentence(section["summary"])) + "\n" if section["summary"] else ""
            page += "".join(key_entry(option) for option in section["options"])
    return page + see_also("piwheels.conf").replace(".BR piwheels.conf (5) ,\n", "")


def words_of(option):
    if option["choices"]:
        return option["choices"].split("|")
    return ["msgpack", "cbor"] if option["name"] == "codec" else []


def commands_of(table):
    """The words that a summary lists as commands, one a line."""
    found = []
    for line in table["summary"].split("\n"):
        if line.startswith("  "):
            found += [word for word in re.match(r"  (\w[\w-]*(?:, \w+)*)", line).group(1).split(", ") if word not in found]
    return found


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def bash_completion(table):
    options = table["common"] + table["options"]
    name, cases = "_" + table["name"].replace("-", "_"), ""
    for option in options:
        if option["kind"] == "switch":
            continue
        spelled = "|".join(([f"-{option['short']}"] if option["short"] else []) + [f"--{option['name']}"])
        if words_of(option):
            does = f"COMPREPLY=($(compgen -W {quoted(' '.join(words_of(option)))} -- \"$cur\"))"
        elif option["kind"] == "path":
            does = "COMPREPLY=($(compgen -f -- \"$cur\"))"
        else:
            does = "COMPREPLY=()"
        cases += f"    {spelled}) {does}; return ;;\n"
    words = " ".join([f"--{option['name']}" for option in options])
    others = f"COMPREPLY=($(compgen -W {quoted(' '.join(commands_of(table)))} -- \"$cur\"))" if commands_of(table) else \
        "COMPREPLY=($(compgen -f -- \"$cur\"))" if table["operands"] else "COMPREPLY=()"
    return f"""# {table['name']}: made from its options by `make man`.
{name}()
{{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
    case $prev in
{cases}    esac
    case $cur in
    -*) COMPREPLY=($(compgen -W {quoted(words)} -- "$cur")) ;;
    *) {others} ;;
    esac
}}
complete -F {name} {table['name']}
"""


def zsh_completion(table):
    specs = []
    for option in table["common"] + table["options"]:
        told = re.sub(r"([\[\]:\\])", r"\\\1", option["help"] or "")
        takes = "" if option["kind"] == "switch" else f":{(option['value'] or 'value').lower()}:" + \
            ("(" + " ".join(words_of(option)) + ")" if words_of(option) else "_files" if option["kind"] == "path" else " ")
        many = "*" if option["kind"] == "list" else ""
        names = [f"--{option['name']}"] + ([f"-{option['short']}"] if option["short"] else [])
        for spelled in names:
            shut = "" if many else "(" + " ".join(names) + ")"
            end = "=" if takes and spelled.startswith("--") else "+" if takes else ""
            specs.append(quoted(f"{shut}{many}{spelled}{end}[{told}]{takes}"))
    if commands_of(table):
        specs.append(quoted(f"1:command:({' '.join(commands_of(table))})"))
    if table["operands"]:
        specs.append(quoted("*:operand:_files"))
    return f"#compdef {table['name']}\n# Made from its options by `make man`.\n_arguments -s -S \\\n    " + " \\\n    ".join(specs) + "\n"


def ask(command, env):
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOUND_S, check=False)
    if done.returncode != 0 or not done.stdout:
        sys.exit(f"make man: {command[0]} didn't tell its options (exit code {done.returncode}): {done.stderr.strip()}")
    return done.stdout


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main():
    build, version, programs = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:]
    share = build / "man" / "share"
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": str(build / "lib"), "ASAN_OPTIONS": "detect_leaks=0"}
    asked = {**env, "LD_PRELOAD": str(build / "man" / "tables.so")}
    tables = []
    for program in programs:
        path = str(build / "bin" / program)
        if program in PLAIN:
            write(share / "man" / "man1" / f"{program}.1", plain_page(program, ask([path, "--help"], env), version))
            continue
        tables.append(json.loads(ask([path], asked)))
    tables.sort(key=lambda table: (table["name"] != "piw-master", table["name"]))
    for table in tables:
        write(share / "man" / "man1" / f"{table['name']}.1", program_page(table, version))
        write(share / "bash-completion" / "completions" / table["name"], bash_completion(table))
        write(share / "zsh" / "site-functions" / f"_{table['name']}", zsh_completion(table))
    sections = json.loads(ask([str(build / "man" / "sections"), *map(str, sorted((build / "plugins").glob("*.so")))], env))
    write(share / "man" / "man5" / "piwheels.conf.5", conf_page(tables, sections, version))


if __name__ == "__main__":
    main()
