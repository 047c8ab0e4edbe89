#!/usr/bin/python3
"""The rule of tags stands twice: schema/coverage.sql has it for the database, piw_abi_takes_pure for who has none at hand, which decides
whose a pure wheel is. The same tags go through both, and through python3-packaging, pip's own rule, where that is there.

TEST-TIMEOUT: 60
"""

import ctypes
import itertools
import re
import subprocess
import sys

import farm as farms
import score
from score import check, equal
from cluster import Cluster, SqlError

try:
    from packaging import tags as judge
except ImportError:
    judge = None

# What interpreters call their ABIs, also such as are not known to any rule.
ABIS = ["cp27", "cp27mu", "cp32", "cp34m", "cp37m", "cp39", "cp310", "cp311", "cp311d", "cp312", "cp313", "cp313t", "cp315", "cp315t",
        "cp3100", "cp303", "cp30000", "cp3", "pypy39_pp73", "pypy310_pp73", "pypy311_pp73", "pp310", "graalpy250_310_native", "jython27", "none"]
JUDGED = {"cp39", "cp310", "cp311", "cp312", "cp313", "pypy39_pp73", "pypy310_pp73", "pypy311_pp73"}
INTERPRETERS = ["py2", "py3", "py2.py3", "py27", "py30", "py32", "py36.py37.py38", "py39", "py310", "py311", "py312", "py313", "py399",
                "cp27", "cp3", "cp32", "cp36", "cp37", "cp39", "cp310", "cp311", "cp312", "cp313", "cp39.cp310.cp311", "cp27.py3",
                "pp2", "pp3", "pp39", "pp310", "pp310.pp311", "pp27.pp3", "ip27", "jy27", "graalpy310", "py", "cp", "p", "py03", "py3011", "py3x",
                "cp0311", "cp311t", "pypy310", "py3.", ".py3", "..", "", "PY3", "CP311", "4.py3", "py4", "py3-none"]
ABI_TAGS = ["none", "abi3", "abi3t", "cp39", "cp311", "cp311d", "cp313t", "cp27mu", "pypy310_pp73", "none.abi3", "cp310.cp311", "none.none"]
PLATFORMS = ["any", "linux_armv6l", "linux_armv7l", "linux_armv6l.linux_armv7l", "linux_aarch64", "linux_x86_64", "manylinux1_x86_64",
             "manylinux2014_armv7l", "manylinux_2_31_armv7l", "manylinux_2_17_aarch64.manylinux2014_aarch64", "musllinux_1_1_armv7l",
             "macosx_11_0_arm64", "win32", "any.linux_armv7l"]
HERE = ["linux_armv7l", "linux_armv6l"]


class Text(ctypes.Structure):
    _fields_ = [("s", ctypes.c_char_p), ("len", ctypes.c_uint32)]


def own_rule(folder):
    """piw_abi_takes_pure, from its source."""
    path = folder / "abi.so"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{farms.ROOT}/core",
                    f"-I{farms.ROOT}/actors", "-o", path, farms.ROOT / "actors" / "shared" / "abi.c"], check=True, timeout=60)
    rule = ctypes.CDLL(str(path)).piw_abi_takes_pure
    rule.argtypes, rule.restype = (Text, Text), ctypes.c_bool
    return lambda abi, interpreters: rule(*(Text(text.encode(), len(text)) for text in (abi, interpreters)))


def literal(words):
    return "ARRAY[" + ", ".join(f"'{word}'" for word in words) + "]::text[]"


def of_database(cluster, abis, abi_tags, platforms, has):
    """{(abi, interpreters, ABI tag, platform): does it run on a machine that needs nothing (`has`: is that known?)}"""
    rows = cluster.rows("tags", f"""
        SELECT a, i, t, p, piw.view_runs(piw.abi_takes(a), {literal(HERE)}, {has}, 'cp32', i, t, p, {has})
        FROM unnest({literal(abis)}) a, unnest({literal(INTERPRETERS)}) i, unnest({literal(abi_tags)}) t, unnest({literal(platforms)}) p""")
    return {row[:4]: row[4] == "t" for row in rows}


def disagreements(rules):
    """What one says and the other doesn't: (tags, what each says)."""
    first, second = rules
    return [(key, first[key], second[key]) for key in sorted(first) if first[key] != second[key]][:20]


def pure(cluster, rule):
    """Whose a wheel without code is: the rule of the master, and that of the database's coverage."""
    database = of_database(cluster, ABIS, ["none"], ["any"], "NULL")
    equal("pure.the same of each", disagreements((database, {key: rule(*key[:2]) for key in database})), [])
    taken = sum(database.values())
    check("pure.some are taken, some aren't", len(ABIS) < taken < len(database) / 2, f"{taken} of {len(database)}")


def packagings(abi):
    version = (3, int(re.search(r"(?:cp|pypy)3(\d+)", abi)[1]))
    own = f"{'pp' if abi.startswith('pypy') else 'cp'}{version[0]}{version[1]}"
    platforms = [*HERE, "any"]
    interpreter = judge.generic_tags(own, [abi], platforms) if own.startswith("pp") else judge.cpython_tags(version, [abi], platforms)
    found = {*interpreter, *judge.compatible_tags(version, own, platforms)}
    if own.startswith("pp"):
        found |= {*judge.compatible_tags(version, "pp3", platforms)}  # as packaging's sys_tags has it
    return found


def made(interpreters, abi_tags, platforms):
    """Where an interpreter's ABI is named, so is the interpreter; and PyPy's version, where the platform is."""
    own = {"cp27mu": "cp27", "cp311d": "cp311", "cp313t": "cp313", "pypy310_pp73": "pp310"}
    return (all(re.fullmatch("(cp|pp|py)[1-9][0-9]*", part) for part in interpreters)
            and all(tag in ("none", "abi3", "abi3t") or own.get(tag, tag) in interpreters for tag in abi_tags)
            and ("pp3" not in interpreters or platforms == ["any"]))


def with_code(cluster):
    """All tags as pip sees them, of names that build tools make, on a machine that has all that their code needs."""
    if judge is None:
        score.skip("code.as packaging sees them", "python3-packaging isn't installed")
        return
    database = of_database(cluster, sorted(JUDGED), ABI_TAGS, PLATFORMS, "'{}'")
    takes = {abi: packagings(abi) for abi in JUDGED}
    rules = {}, {}
    for key, taken in database.items():
        sets = [part.split(".") for part in key[1:]]
        if made(*sets):
            rules[0][key], rules[1][key] = taken, any(judge.Tag(*tag) in takes[key[0]] for tag in itertools.product(*sets))
    equal("code.as packaging sees them", disagreements(rules), [])
    check("code.many are judged", len(rules[0]) > 1000, len(rules[0]))


def main():
    with Cluster() as cluster:
        try:
            cluster.create("tags")
            pure(cluster, own_rule(cluster.dir))
            with_code(cluster)
        except (SqlError, OSError, subprocess.SubprocessError) as error:
            check("the rules", False, error)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
