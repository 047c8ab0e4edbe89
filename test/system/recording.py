"""The recorded conversations of the stock programs (vectors/README.md): found and read.

They lie in ../shared/vectors beside the checkout, or where PIW_VECTORS says. Messages are decoded into lists, texts, numbers
and, for tagged values, ("tag", number, value); wire.cbor_encode makes the same bytes of them again.
"""

import json
import os
import pathlib

import farm as farms
import wire

FOLDER = pathlib.Path(os.environ.get("PIW_VECTORS") or farms.ROOT.parent / "shared" / "vectors")


class Message:
    """One recorded message."""

    def __init__(self, index, record):
        self.index = index
        self.queue = record["queue"]
        self.to_master = record["dir"] == "to_master"
        self.peer = record["peer"]
        self.frames = [None if frame is None else bytes.fromhex(frame) for frame in record["frames"]]
        self.blobs = record.get("blob") or []
        self.value = None
        if self.queue != "file":
            try:
                self.value = wire.cbor_decode(self.frames[0])
            except (ValueError, KeyError, IndexError, TypeError):
                pass  # recorded on purpose: bytes that are no message
            if self.value is not None and wire.cbor_encode(self.value) != self.frames[0]:
                self.value = None

    @property
    def word(self):
        if self.queue == "file":
            return self.frames[0].decode("ascii", "replace")
        return self.value if isinstance(self.value, str) else self.value[0] if self.value else None

    @property
    def data(self):
        return self.value[1] if isinstance(self.value, list) and len(self.value) == 2 else None

    def __str__(self):
        way = "to the master" if self.to_master else "from the master"
        return f"message {self.index} ({self.queue} {self.word} {way}, peer {self.peer})"


def there():
    return (FOLDER / "README.md").is_file()


def load(name):
    lines = (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [Message(index, json.loads(line)) for index, line in enumerate(lines)]


def load_json(name):
    return json.loads((FOLDER / name).read_text("utf-8"))


def files_of(messages):
    """Every file_state that clients announce in a recording."""
    found = []
    for message in messages:
        if message.to_master and message.word == "BUILT" and message.data:
            found += message.data[3]
        elif message.to_master and message.word == "IMPORT":
            found += message.data[7]
    return found
