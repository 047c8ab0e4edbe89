#!/usr/bin/python3
"""A farm without views has wheels in C; then it gets two kinds of machine that have one ABI and platform, and all that those wheels
need. They are read in the background, through a restart; the second kind's index lists them, and nothing is queued for it but what
lacks something there.

TEST-TIMEOUT: 300
TEST-NEEDS: plain
"""

import json
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import kinds
from kinds import NEW, OLD, farms
import score
from score import check, equal

PACKAGES = [f"older{n}" for n in range(3)]
STRANGE = "strange"  # its wheel names a library that the second kind has not


def wheel_name(farm, package):
    return f"{package}-1.0-{farm.abi()}-{farm.abi()}-{kinds.machine()}.whl"


def queued(farm):
    return farm.rows(f"SELECT package FROM piw.queue WHERE abi_tag = '{NEW}' ORDER BY 1")


def roots(farm):
    """What each kind's root list names, in both forms."""
    return {view: [sorted(re.findall(r'<a href="([^"/]+)/">', (farm.www / view / "simple/index.html").read_text("utf-8"))),
                   sorted(p["name"] for p in json.loads((farm.www / view / "simple/index.v1.json").read_text("utf-8"))["projects"])]
            for view in (NEW, OLD)}


def restart(farm):
    farm.stop_process(farm.master)
    farm.start_master()


def test_before(farm):
    for package in PACKAGES:
        kinds.add_extension(farm, package)
    kinds.add_extension(farm, STRANGE, libraries=["z"])
    slave = farm.start_slave("only")
    farm.wait("the wheels", lambda: farm.value("SELECT count(*) FROM files") == "4", 120)
    farm.wait("all pages", lambda: farm.pages_form() == "all")
    farm.stop_process(slave)
    equal("before.nobody asks what they need", farm.rows("SELECT * FROM piw.file_needs"), [])


def test_first_views(farm):
    """Watched from the first moment on: what is queued, though but for a moment, slaves get."""
    farm.psql(f"""CREATE TABLE public.seen (package text);
        CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN INSERT INTO public.seen VALUES (NEW.package); RETURN NULL; END $$;
        CREATE TRIGGER see AFTER INSERT ON piw.queue FOR EACH ROW WHEN (NEW.abi_tag = '{NEW}') EXECUTE FUNCTION public.see()""")
    words = "GLIBC_2.99"
    farm.views = {view: {**settings, "libraries": words} for view, settings in kinds.views(farm).items()}
    restart(farm)
    farm.wait("the refill", lambda: farm.value("SELECT count(*) FROM piw.refills") == "0")
    restart(farm)
    farm.wait("the end of the pass", lambda: farm.value("SELECT done FROM piw.needs_pass") == "t", 60)
    equal("older.all have been read", farm.value("SELECT count(*) FROM piw.file_needs WHERE view = ''"), "4")
    for package in PACKAGES:
        name = wheel_name(farm, package)
        farm.wait(f"a link to {name}", lambda p=package, n=name: kinds.index_of(farm, NEW, p) == {n: f"../../../simple/{p}/{n}"})
    farm.wait("the queue", lambda: queued(farm) == [[STRANGE]])
    equal("older.only what lacks something was ever queued", farm.rows("SELECT DISTINCT package FROM public.seen"), [[STRANGE]])
    equal("older.the queue is what is wanted", farm.rows("SELECT * FROM piw.check_queue()"), [])
    equal("older.and not listed", kinds.index_of(farm, NEW, STRANGE), {})
    farm.wait("the root list", lambda: roots(farm)[NEW] == [PACKAGES] * 2)
    equal("older.the root lists name what there is for each", roots(farm), {NEW: [PACKAGES] * 2, OLD: [[*PACKAGES, STRANGE]] * 2})
    check("older.there is no empty page", not (farm.www / NEW / "simple" / STRANGE).exists())


def test_again(farm):
    """The views go; a wheel comes; they come back, and it is read, too."""
    farm.stop_process(farm.master)
    views, farm.views = farm.views, {}
    farm.start_master()
    kinds.add_extension(farm, "between")
    slave = farm.start_slave("again")
    farm.wait("the wheel", lambda: farm.value("SELECT count(*) FROM files") == "5", 120)
    farm.stop_process(slave)
    farm.psql("DELETE FROM public.seen")
    farm.views = views
    restart(farm)
    farm.wait("a link", lambda: kinds.index_of(farm, NEW, "between"))
    farm.wait("the root list", lambda: roots(farm)[NEW] == [["between", *PACKAGES]] * 2)
    farm.wait("the queue", lambda: queued(farm) == [[STRANGE]])
    equal("again.what came between is read, too", farm.rows("SELECT DISTINCT package FROM public.seen"), [[STRANGE]])
    check("again.the pass has its end", farm.wait("it", lambda: farm.value("SELECT done FROM piw.needs_pass") == "t"))


def main():
    with farms.Farm() as farm:
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database()
            farm.start_pypi()
            farm.start_master()
            for test in (test_before, test_first_views, test_again):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError, OSError, ValueError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
