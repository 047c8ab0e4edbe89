#!/usr/bin/python3
"""What stock's slaves, importer and monitor were recorded to say and hear, replayed on a farm with views: they are of the common one,
and nothing that they hear, no row and no page of the common index is another. Monitors are told of one more queue, the other view's,
and the JSON of a project has the views besides.

TEST-TIMEOUT: 600
TEST-NEEDS: plain
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
# pylint: disable=wrong-import-position
import aftermath
import farm as farms
import recording
import replay
import test_vectors_replay as vectors
from score import check

COMMON, OTHER = "common-kind", "other-kind"


def platforms():
    """Of the slaves that were recorded."""
    return sorted({message.data[4] for name in vectors.SLAVES for message in recording.load(name) if message.word == "HELLO"
                   and message.to_master and isinstance(message.data, list) and len(message.data) > 5})


class Farm(farms.Farm):
    """Its common view is of the recorded slaves; nobody builds for the other."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.views = {COMMON: {"abi": "cp311", "platform": ", ".join(platforms())},
                      OTHER: {"abi": "cp313", "platform": "linux_riscv64", "os_name": "plan9"}}


class Status(replay.Status):
    """What monitors hear, without the queue of the view that stock's farm hasn't."""

    told = False

    def take(self):
        for message in super().take():
            if message[0] == "STATS":
                for value in message[1]:
                    Status.told |= isinstance(value, dict) and value.pop(OTHER, None) is not None
        return self.messages


class Site(aftermath.Site):
    def json_of(self, package):
        ours, theirs = super().json_of(package)
        for release in ours["releases"].values():
            views = release.pop("views", {})
            if set(views) != {COMMON, OTHER}:
                raise farms.Failure(f"the JSON of {package} has the views {views}")
        return ours, theirs


def main():
    if recording.there():
        vectors.farms.Farm = Farm
        replay.Status = Status
        aftermath.Site = Site
    code = vectors.main()
    if recording.there():
        check("monitors hear of the other view's queue", Status.told)
    return code


if __name__ == "__main__":
    sys.exit(main())
