"""Lines for test/run, and the way of the ARM tests through one machine: build, look at what was made, run the unit programs."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

# pylint: disable=wrong-import-position
import emulated
import score


class Report:
    check = staticmethod(score.check)

    def run(self, test):
        """A test's function; what is missing on this machine makes its end a skipped line."""
        try:
            test(self)
        except emulated.Missing as missing:
            score.skip(test.__name__, missing)
        except Exception as error:  # pylint: disable=broad-except
            self.check(test.__name__, False, f"{type(error).__name__}: {error}")
        sys.exit(score.code())

    def build(self, machine):
        wrong = emulated.build(machine, "all", "unit-programs")
        return self.check(f"{machine.name}.everything is compiled and linked", wrong is None, wrong)

    def units(self, machine, names):
        emulated.need("qemu-arm")
        for unit in emulated.run_units(machine, names):
            self.check(f"{machine.name}.{unit.name} ({unit.passed} tests)", unit.wrong is None, unit.wrong)
