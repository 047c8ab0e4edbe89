"""Valid wheels of any name: METADATA, WHEEL, a package and a RECORD that fits, of exactly the size asked for when it is large
enough. The same call gives the same bytes.
"""

import base64
import hashlib
import io
import random
import zipfile


def record_hash(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def pack(stem, members):
    info = f"{stem}.dist-info"
    lines = "".join(f"{path},{record_hash(data)},\n" for path, data in members.items())
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as wheel:
        for path, data in {**members, f"{info}/RECORD": f"{lines}{info}/RECORD,,\n".encode()}.items():
            wheel.writestr(zipfile.ZipInfo(path, (2024, 3, 1, 12, 0, 0)), data)
    return raw.getvalue()


def make(filename, size=0, requires_python=None, requires=(), members=None):
    """The bytes of a wheel; `members` are more files in it: {path: bytes}."""
    name, version, tags = filename.removesuffix(".whl").split("-", 2)
    stem, tag = f"{name}-{version}", "-".join(tags.split("-")[-3:])
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Python: {requires_python}\n" if requires_python else ""
    metadata += "".join(f"Requires-Dist: {other}\n" for other in requires)
    found = {f"{stem}.dist-info/METADATA": metadata.encode(),
             f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
             f"{name.lower().replace('.', '_')}.py": b"", **(members or {})}
    least = len(pack(stem, found))
    if least >= size:
        return pack(stem, found)
    padding = f"{name.lower().replace('.', '_')}.bin"
    left = size - len(pack(stem, {**found, padding: b""}))
    if left < 0:
        return pack(stem, found)
    return pack(stem, {**found, padding: random.Random(filename).randbytes(left)})


def sha256(data):
    return hashlib.sha256(data).hexdigest()
