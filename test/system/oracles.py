"""What other readers say of a wheel: libarchive and Python's zipfile of the archive, packaging of names and fields. Each gives
None, or why not."""

import contextlib
import ctypes
import ctypes.util
import email.parser
import io
import re
import warnings
import zipfile
import zlib

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

EOF, OK = 1, 0


def load_libarchive():
    library = ctypes.CDLL("libarchive.so.13")
    for name in ("archive_read_new", "archive_entry_pathname_utf8", "archive_error_string", "archive_entry_symlink_utf8"):
        getattr(library, name).restype = ctypes.c_void_p
    library.archive_read_data.restype = ctypes.c_ssize_t
    for name, types in (("archive_read_support_format_zip", [ctypes.c_void_p]), ("archive_read_free", [ctypes.c_void_p]),
                        ("archive_read_open_memory", [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]),
                        ("archive_read_next_header", [ctypes.c_void_p, ctypes.c_void_p]),
                        ("archive_read_data", [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]),
                        ("archive_error_string", [ctypes.c_void_p]), ("archive_entry_pathname_utf8", [ctypes.c_void_p])):
        getattr(library, name).argtypes = types
    return library


LIBARCHIVE = load_libarchive()


def libarchive(data):
    """Every member is read to its end."""
    archive = LIBARCHIVE.archive_read_new()
    try:
        LIBARCHIVE.archive_read_support_format_zip(archive)
        entry, piece = ctypes.c_void_p(), ctypes.create_string_buffer(1 << 16)
        state = LIBARCHIVE.archive_read_open_memory(archive, data, len(data))
        while state == OK:
            state = LIBARCHIVE.archive_read_next_header(archive, ctypes.byref(entry))
            if state == OK:
                while (size := LIBARCHIVE.archive_read_data(archive, piece, len(piece))) > 0:
                    pass
                state = OK if size == 0 else size
        if state == EOF:
            return None
        why = LIBARCHIVE.archive_error_string(archive)
        return (ctypes.string_at(why) if why else b"no").decode("utf-8", "replace")
    finally:
        LIBARCHIVE.archive_read_free(archive)


def python_zipfile(data):
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, warnings.catch_warnings():
            bad = archive.testzip()
            return bad and f"{bad} is broken"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error, OSError) as error:
        return repr(error)


def packaging(data, filename):
    """The file's name, and the fields of METADATA that name versions and packages."""
    try:
        parse_wheel_filename(filename)
        with contextlib.closing(zipfile.ZipFile(io.BytesIO(data))) as archive:
            name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            fields = email.parser.Parser().parsestr(archive.read(name).decode(), headersonly=True)
        Version(fields["Version"])
        SpecifierSet(" ".join((fields["Requires-Python"] or "").split()))
        for text in fields.get_all("Requires-Dist") or ():
            Requirement(" ".join(text.split()))
    except (InvalidWheelFilename, InvalidVersion, InvalidSpecifier, InvalidRequirement) as error:
        return repr(error)
    return None
