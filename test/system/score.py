"""What a test program checks, in the lines that test/run reads, and its exit code.

    score.check("it builds", built, "what is known, if not")
    score.equal("its files", got, wanted)
    sys.exit(score.code())
"""

import sys
import traceback

WHY_MAX = 3000  # characters

failures = 0


def check(name, good, why=""):
    """One result; `why` is for who reads a failure: its first line stands behind the name, further ones below."""
    global failures
    if good:
        print(f"ok {name}", flush=True)
        return True
    failures += 1
    text = str(why).strip()
    if len(text) > WHY_MAX:
        text = f"{text[:WHY_MAX // 2]} … {text[-WHY_MAX // 2:]}"
    first, *more = text.splitlines() or [""]
    print("\n".join([f"not ok {name} - {first}", *(f"# {line}" for line in more)]), flush=True)
    return False


def equal(name, got, wanted):
    return check(name, got == wanted, f"got {got!r}, wanted {wanted!r}")


def report(name, why=None):
    """One result of which only what is wrong with it is known, if anything is."""
    return check(name, not why, why or "")


def skip(name, why):
    print(f"skip {name} - {why}", flush=True)


def _ends(name, test, args):
    """Calls it; None if it raised something, which is a failure of that name."""
    try:
        return (test(*args),)
    except Exception as error:  # pylint: disable=broad-except  # the next ones are still of interest
        check(name, False, f"{type(error).__name__}: {error}\n{''.join(traceback.format_tb(error.__traceback__)[1:])}")
        return None


def _chosen(tests):
    """Those named on the command line, or all."""
    return [test for test in tests if not sys.argv[1:] or test.__name__ in sys.argv[1:]]


def run(tests, *args):
    """Tests that say themselves what they find; the exit code."""
    for test in _chosen(tests):
        _ends(test.__name__, test, args)
    return code()


def run_silent(tests, *args):
    """Tests that are one result each: good if they return; what they return is why they were left out. The exit code."""
    for test in _chosen(tests):
        name = test.__name__.replace("_", " ")
        ended = _ends(name, test, args)
        if ended and ended[0]:
            skip(name, ended[0])
        elif ended:
            check(name, True)
    return code()


def stops(farm):
    """After its `with`: whether all of a farm ended when asked."""
    for complaint in farm.complaints:
        check("stops in order", False, complaint)


def code():
    """What the program exits with."""
    return 1 if failures else 0
