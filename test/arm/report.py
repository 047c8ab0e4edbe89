"""Lines for test/run, and the way of the ARM tests through one machine: build, look at what was made, run the unit programs."""

import sys

import emulated


class Report:
    def __init__(self):
        self.failures = 0

    def check(self, name, good, why=""):
        if good:
            print(f"ok {name}", flush=True)
        else:
            self.failures += 1
            print(f"not ok {name} - {str(why)[:3000]}", flush=True)
        return good

    def run(self, test):
        """A test's function; what is missing on this machine makes its end a skipped line."""
        try:
            test(self)
        except emulated.Missing as missing:
            print(f"skip {test.__name__} - {missing}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            self.check(test.__name__, False, f"{type(error).__name__}: {error}")
        sys.exit(1 if self.failures else 0)

    def build(self, machine):
        wrong = emulated.build(machine, "all", "unit-programs")
        return self.check(f"{machine.name}.everything is compiled and linked", wrong is None, wrong)

    def units(self, machine, names):
        emulated.need("qemu-arm")
        for unit in emulated.run_units(machine, names):
            self.check(f"{machine.name}.{unit.name} ({unit.passed} tests)", unit.wrong is None, unit.wrong)
