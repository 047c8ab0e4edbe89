"""The kinds of wheels that make(1) beside this file makes: KINDS, a list of (verdict, name, what is odd about it)."""

import struct
import zlib

KINDS = []


def take(name, **how):
    KINDS.append(("take", name, how))


def refuse(name, **how):
    KINDS.append(("refuse", name, how))


# --- ELF files -----------------------------------------------------------------------------------------------------

MACHINES = {"i386": 3, "ppc64": 21, "s390": 22, "arm": 40, "x86_64": 62, "avr": 83, "xtensa": 94, "aarch64": 183, "riscv": 243,
            "bpf": 247, "unknown": 0x7ff0}
SO, PROGRAM, OBJECT = 3, 2, 1
HARD, SOFT = 0x5000400, 0x5000200  # e_flags of ARM


def elf(machine="x86_64", bits=64, order="<", kind=SO, flags=0, exports=(), needs=(), runpath=None):
    """A header, and when there are symbols or needs the sections in which they stand, and some code."""
    # pylint: disable=too-many-locals
    wide = bits == 64
    word = "Q" if wide else "I"
    texts, strings = b"\0", {}
    for text in (*exports, *needs, *([runpath] if runpath else [])):
        strings[text] = len(texts)
        texts += text.encode() + b"\0"
    symbols = bytes(24 if wide else 16)
    for name in exports:
        symbols += (struct.pack(order + "IBBHQQ", strings[name], 0x12, 0, 1, 0x1000, 16) if wide else
                    struct.pack(order + "IIIBBH", strings[name], 0x1000, 16, 0x12, 0, 1))
    dynamic = b"".join(struct.pack(order + 2 * word, tag, value) for tag, value in
                       [(1, strings[name]) for name in needs] + ([(29, strings[runpath])] if runpath else []) + [(0, 0)])
    size = 64 if wide else 52
    found, sections = b"", [(0, 0, 0, 0, 0, 0)]  # type, flags, offset, size, link, entry
    for number, mode, data, link, entry in ((3, 2, texts, 0, 0), (11, 2, symbols, 1, 24 if wide else 16),
                                            (6, 3, dynamic, 1, 16 if wide else 8), (1, 6, bytes(16), 0, 0)):
        sections.append((number, mode, size + len(found), len(data), link, entry))
        found += data + bytes(-len(data) % 8)
    if not exports and not needs:
        found, sections = b"", []
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header = ident + struct.pack(order + "HHI" + 3 * word + "IHHHHHH", kind, MACHINES[machine], 1, 0, 0,
                                 size + len(found) if sections else 0, flags, size, 0, 0, 64 if wide else 40, len(sections), 0)
    for number, mode, offset, length, link, entry in sections:
        found += struct.pack(order + "II" + 4 * word + "II" + 2 * word, 0, number, mode, 0, offset, length, link, 1, 8, entry)
    return header + found


def arm(flags=HARD, **how):
    return elf("arm", 32, flags=flags, **how)


def i386(**how):
    return elf("i386", 32, **how)


def files(*pairs):
    return [(name, data, {}) for name, data in pairs]


MODULE = "fast.cpython-311-x86_64-linux-gnu.so"
X86 = "cp311-cp311-linux_x86_64"

# --- Names and versions ----------------------------------------------------------------------------------------------

take("plain")
take("version_epoch", version="1!1.0")
take("version_local", version="1.0+local.1")
take("version_post", version="1.0.post1")
take("version_dev", version="1.0.dev20240301")
take("version_pre", version="1.0rc1")
take("version_in_other_spelling", stem="version_in_other_spelling-1.0.0")
take("name_in_other_spelling", metadata=b"Metadata-Version: 2.1\nName: Name.in-Other.Spelling\nVersion: 1.0\n",
     stem="Name.In_other_spelling-1.0")
take("py2_py3", tags="py2.py3-none-any")
take("platform_set", tags="cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", files=files((MODULE, elf())))
take("platform_musl", tags="cp311-cp311-musllinux_1_1_x86_64", files=files(("fast.abi3.so", elf())))
take("build_number", build="1")
take("build_of_letters", build="202403build_2.x")
refuse("version_latest", version="latest")
refuse("version_of_two_dots", version="1.0..0")
refuse("version_of_two_parts", version="1.0_1")
refuse("version_legacy", version="2004d")
for number, text in enumerate(('1"x', "1'x", "1<b>", "1%2f", "1#x", "1?x", "1 x", "1&amp;", "x1", "1\u00e4"), 1):
    refuse(f"build_odd_{number}", build=text)
refuse("name__doubled_underscore")
refuse("tag_with_plus", tags="py3-none-any+x")
refuse("tag_with_empty_member", tags="py3..py2-none-any")

# --- The archive -----------------------------------------------------------------------------------------------------

STORED = {name: {"method": 0} for name in ("module", "METADATA", "WHEEL", "RECORD")}
take("members_stored", odd=STORED)
take("members_empty", files=files(("empty/__init__.py", b"")))
take("folders_listed", files=files(("pkg/", b""), ("pkg/__init__.py", b"")))
take("names_with_commas", files=files(("pkg/a,b.txt", b"1")))
take("names_with_quotes", files=files(('pkg/a"b.txt', b"1"), ("pkg/it's.txt", b"1")))
take("names_with_blanks", files=files(("pkg/a b.txt", b"1")))
take("names_in_utf8", files=files(("pkg/\u00e4\u4e2d.txt", b"1")))
take("names_with_dots", files=files(("pkg/.hidden", b"1"), ("pkg/...", b"1"), ("pkg/a..b", b"1")))
take("names_long", files=files(("/".join(["d" * 60] * 3) + "/" + "f" * 60 + ".py", b"1")))
take("names_of_two_cases", files=files(("pkg/Readme", b"1"), ("pkg/README", b"2")))
take("mode_executable", files=[("pkg/tool", b"#!/bin/sh\n", {"mode": 0o100755})])
take("mode_of_no_system", files=[("pkg/x", b"1", {"mode": 0, "made_by": 0})])
take("mode_read_only", files=[("pkg/x", b"1", {"mode": 0o100444})])
take("comment_of_archive", end={"comment": b"made by hand"})
take("comment_of_member", odd={"module": {"comment": b"a word about it"}})
TIMES = struct.pack("<HHBI", 0x5455, 5, 1, 1709294400)
OWNER = struct.pack("<HHBBHBH", 0x7875, 7, 1, 2, 0, 2, 0)
take("extra_times", odd={"module": {"extra": TIMES, "local_extra": TIMES}})
take("extra_owner", odd={"module": {"extra": TIMES + OWNER, "local_extra": OWNER}})
take("extra_ntfs", odd={"module": {"extra": struct.pack("<HHIHHQQQ", 10, 32, 0, 1, 24, 0, 0, 0)}})
take("extra_of_java", odd={"module": {"local_extra": b"\xfe\xca\0\0"}})


def unicode_name(name, text, crc_xor=0):
    data = struct.pack("<BI", 1, zlib.crc32(name.encode()) ^ crc_xor) + text.encode()
    return struct.pack("<HH", 0x7075, len(data)) + data


take("extra_same_name", odd={"module": {"extra": unicode_name("extra_same_name.py", "extra_same_name.py")}})
take("wide_local_header", odd={"module": {"wide_local": True}})
take("wide_member", odd={"module": {"wide": True}})
take("wide_end", end={"wide": True})
for number, text in enumerate(("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"), 1):
    refuse(f"name_turned_{number}", files=files((f"pkg/a{text}yp.exe", b"1")))
refuse("name_absolute", files=files(("/etc/profile.d/x.sh", b"1")))
refuse("name_climbs", files=files(("../../x.py", b"1")))
refuse("name_climbs_inside", files=files(("pkg/../../x.py", b"1")))
refuse("name_with_dot_part", files=files(("pkg/./x.py", b"1")))
refuse("name_with_empty_part", files=files(("pkg//x.py", b"1")))
refuse("name_of_a_drive", files=files(("C:/x.py", b"1")))
refuse("name_with_backslash", files=files(("..\\x.py", b"1")))
refuse("name_with_nul", files=files(("pkg/x.py\0.txt", b"1")))
refuse("name_with_newline", files=files(("pkg/x\n.py", b"1")))
refuse("name_in_latin1", files=[(b"pkg/\xe4.py", b"1", {"flags": 0})])
refuse("name_of_bad_utf8", files=[(b"pkg/\xff\xfe.py", b"1", {"flags": 1 << 11})])
refuse("name_empty", files=files(("", b"1")))
refuse("name_too_long", files=files(("/".join(["d" * 200] * 6), b"1")))
refuse("name_doubled", files=files(("pkg/x.py", b"1"), ("pkg/x.py", b"1")))
refuse("name_is_file_and_folder", files=files(("pkg", b"1"), ("pkg/x.py", b"1")))
refuse("extra_other_name", odd={"module": {"extra": unicode_name("extra_other_name.py", "evil.py")}})
refuse("extra_other_name_local", odd={"module": {"local_extra": unicode_name("extra_other_name_local.py", "evil.py")}})
refuse("extra_name_of_wrong_crc", odd={"module": {"extra": unicode_name("extra_name_of_wrong_crc.py", "evil.py", 1)}})
refuse("extra_link", odd={"module": {"extra": struct.pack("<HHIHIHH", 0x756e, 14, 0, 0o120777, 0, 0, 0)}})
refuse("extra_link_pkware", odd={"module": {"extra": struct.pack("<HHIIHH", 0x0d, 23, 0, 0, 0, 0) + b"/etc/passwd"}})
refuse("extra_mac_name", odd={"module": {"extra": struct.pack("<HHI", 0x2605, 12, 0x5a504954) + b"\x07evil.py"}})
refuse("extra_unknown", odd={"module": {"extra": b"\x34\x12\0\0"}})
refuse("extra_twice", odd={"module": {"extra": TIMES + TIMES}})
refuse("extra_cut", odd={"module": {"extra": b"\x55\x54\x09\0\1"}})
refuse("extra_with_tail", odd={"module": {"extra": TIMES + b"\0\0"}})
refuse("extra_with_tail_local", odd={"module": {"local_extra": TIMES + b"\0"}})
refuse("wide_needless", odd={"module": {"extra": struct.pack("<HHQQ", 1, 16, 12, 12)}})
refuse("wide_contradicts", odd={"module": {"extra": struct.pack("<HHQ", 1, 8, 999)}})
refuse("wide_contradicts_local", odd={"module": {"local_extra": struct.pack("<HHQQ", 1, 16, 999, 999)}})
refuse("wide_too_long", odd={"module": {"wide": True, "local_extra": b"\1\0\4\0abcd"}})
refuse("wide_too_short", odd={"module": {"local": (zlib.crc32(b"answer = 42\n"), 0xffffffff, 0xffffffff),
                                         "local_extra": struct.pack("<HHQ", 1, 8, 12)}})
refuse("wide_missing", odd={"module": {"local": (zlib.crc32(b"answer = 42\n"), 0xffffffff, 0xffffffff)}})
refuse("wide_end_disagrees", end={"wide": True}, change=lambda data: data.replace(b"PK\x06\x06\x2c\0\0\0\0\0\0\0",
                                                                               b"PK\x06\x06\x2d\0\0\0\0\0\0\0"))
for form in ("signed", "bare", "signed wide", "bare wide"):
    refuse(f"descriptor_{form.replace(' ', '_')}", odd={"module": {"descriptor": form}})
refuse("descriptor_with_sizes_before", odd={"module": {"flags": 8, "behind": b"PK\7\x08" + struct.pack(
    "<III", zlib.crc32(b"answer = 42\n"), 17, 12)}})
refuse("local_name_differs", odd={"module": {"local_name": b"other.py"}})
refuse("local_method_differs", odd={"module": {"local_method": 0}})
refuse("local_flags_differ", odd={"module": {"local_flags": 1 << 11}})
refuse("local_sizes_differ", odd={"module": {"local": (zlib.crc32(b"answer = 42\n"), 17, 13)}})
refuse("local_crc_differs", odd={"module": {"central_crc": 1}})
refuse("crc_wrong", odd={"module": {"crc_xor": 1}})
refuse("size_too_small", odd={"module": {"size_add": -1}})
refuse("size_too_large", odd={"module": {"size_add": 1}})
refuse("packed_size_too_small", odd={"module": {"packed_add": -1}})
refuse("packed_data_behind_its_end", odd={"module": {"packed": b"\1\x0c\0\xf3\xffanswer = 42\nmore"}})
refuse("packed_data_broken", odd={"module": {"packed": b"\7nonsense"}})
refuse("gap_between_members", odd={"module": {"behind": b"hidden"}})
refuse("gap_before_directory", end={"before": b"hidden"})
refuse("offset_wrong", odd={"METADATA": {"offset_add": 1}})
refuse("members_overlap", odd={"METADATA": {"offset_add": -10}})
refuse("count_wrong", end={"count_add": 1})
refuse("count_too_small", end={"count_add": -1})
refuse("data_before_the_archive", change=lambda data: b"#!/bin/sh\n" + data)
refuse("data_behind_the_archive", change=lambda data: data + b"\n")
refuse("archive_cut", change=lambda data: data[:-30])
refuse("archive_twice", change=lambda data: data + data)
refuse("archive_no_zip", change=lambda data: b"<html>not found</html>\n")
refuse("member_encrypted", odd={"module": {"flags": 1}})
refuse("member_by_bzip2", odd={"module": {"method": 12}})
refuse("member_by_lzma", odd={"module": {"method": 14}})
refuse("mode_symlink", files=[("pkg/x", b"/etc/passwd", {"mode": 0o120777})])
refuse("mode_device", files=[("pkg/x", b"", {"mode": 0o020666})])
refuse("mode_fifo", files=[("pkg/x", b"", {"mode": 0o010666})])
refuse("mode_folder_for_file", files=[("pkg/x", b"", {"mode": 0o040755})])
refuse("mode_file_for_folder", files=[("pkg/", b"", {"mode": 0o100644})])
refuse("attribute_folder_for_file", files=[("pkg/x", b"", {"mode": 0, "made_by": 0, "attributes": 0x10})])
refuse("folder_with_contents", files=[("pkg/", b"hidden", {})])
ZEROS = bytes(95_000_000)


def squeezed(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


refuse("bomb", files=[("pkg/zeros", ZEROS, {"packed": squeezed(ZEROS)})])
refuse("bomb_that_lies", files=[("pkg/zeros", b"12345678", {"packed": squeezed(bytes(1_000_000))})])

# --- Folders ---------------------------------------------------------------------------------------------------------

take("dist_info_nested", files=files(("vendor/other-1.0.dist-info/METADATA", b"x"), ("vendor/x.data/odd", b"x")))
take("dist_info_more", files=files(("dist_info_more-1.0.dist-info/licenses/LICENSE", b"x"),
                                   ("dist_info_more-1.0.dist-info/entry_points.txt", b"[console_scripts]\n")))
for scheme in ("purelib", "platlib", "headers", "scripts", "data"):
    take(f"data_{scheme}", files=files((f"data_{scheme}-1.0.data/{scheme}/pkg/x", b"#!python\n")))
take("data_folders_listed", files=files(("data_folders_listed-1.0.data/", b""), ("data_folders_listed-1.0.data/scripts/", b""),
                                        ("data_folders_listed-1.0.data/scripts/x", b"1")))
refuse("dist_info_missing", stem="dist_info_missing-1.0.distinfo/x")
refuse("dist_info_twice", files=files(("other-1.0.dist-info/METADATA", b"x")))
refuse("dist_info_twice_in_two_spellings", files=files(("Dist_info_twice_in_two_spellings-1.0.dist-info/METADATA", b"x")))
refuse("dist_info_of_another", stem="other-1.0")
refuse("dist_info_of_another_version", stem="dist_info_of_another_version-1.1")
refuse("dist_info_without_version", stem="dist_info_without_version")
refuse("dist_info_is_a_file", files=files(("other-1.0.dist-info", b"x")))
refuse("dist_info_without_name", files=files((".dist-info/METADATA", b"x")))
refuse("data_of_another", files=files(("other-1.0.data/scripts/x", b"1")))
refuse("data_of_another_version", files=files(("data_of_another_version-2.0.data/scripts/x", b"1")))
refuse("data_twice", files=files(("data_twice-1.0.data/scripts/x", b"1"), ("Data_twice-1.0.data/data/x", b"1")))
refuse("data_without_name", files=files((".data/scripts/x", b"1")))
refuse("data_is_a_file", files=files(("data_is_a_file-1.0.data", b"1")))
refuse("data_of_unknown_scheme", files=files(("data_of_unknown_scheme-1.0.data/stdlib/x", b"1")))
refuse("data_without_scheme", files=files(("data_without_scheme-1.0.data/x", b"1")))

# --- METADATA --------------------------------------------------------------------------------------------------------


def metadata(text, encoding="utf-8"):
    return lambda wheel: text.replace("NAME", wheel.kind).encode(encoding)


HEAD = "Metadata-Version: 2.1\nName: NAME\nVersion: 1.0\n"
take("metadata_crlf", metadata=metadata((HEAD + "Requires-Python: >=3.6\n\nWords.\n").replace("\n", "\r\n")))
take("metadata_folded", metadata=metadata(HEAD + "Requires-Python: >=3.6,\n !=3.7.*,\n <4\nRequires-Dist: zinc\n  >=1\n\n"))
take("metadata_folded_by_tabs", metadata=metadata(HEAD + "Requires-Python: >=3.6,\r\n\t<4\nSummary: a\r\n\tb\n\n"))
take("metadata_folded_name", metadata=metadata("Metadata-Version:\n 2.1\nName:\n NAME\nVersion:\r\n\t1.0\n\n"))
take("metadata_without_words", metadata=metadata(HEAD))
take("metadata_without_last_newline", metadata=metadata(HEAD[:-1]))
take("metadata_in_small_letters", metadata=metadata(HEAD.lower().replace("name: name", "name: NAME")))
take("metadata_1_0", metadata=metadata(HEAD.replace("2.1", "1.0")))
take("metadata_1_2", metadata=metadata(HEAD.replace("2.1", "1.2")))
take("metadata_2_4", metadata=metadata(HEAD.replace("2.1", "2.4") + "License-Expression: MIT\n"))
take("metadata_in_utf8", metadata=metadata(HEAD + "Author: J\u00fcrgen \u4e2d\n\nGr\u00fc\u00dfe\n"))
take("metadata_with_unknown_fields", metadata=metadata(HEAD + "X-Thing: y\nProvides-Extra: z\nPlatform: any\nPlatform: all\n"))
take("metadata_with_cr_in_its_words", metadata=metadata(HEAD + "\nWords\rand more: 1\n"))
take("requires_python_set", extra="Requires-Python: >=2.7, !=3.0.*, !=3.1.*, <4\n")
take("requires_python_trailing_comma", extra="Requires-Python: >=3.6,\n")
take("requires_python_compatible", extra="Requires-Python: ~=3.7\n")
take("requires_dist_plain", extra="Requires-Dist: zinc\nRequires-Dist: Iron.Ore>=1,<2\nRequires-Dist: tin (>=1.0)\n")
take("requires_dist_markers", extra="Requires-Dist: zinc; python_version < '3.8' and (sys_platform == \"win32\" or extra == 'x')\n"
     "Requires-Dist: tin ; os.name not in 'nt'\n")
take("requires_dist_extras", extra="Requires-Dist: zinc[a,b] ~= 1.4 ; extra == 'c'\n")
take("requires_dist_url", extra="Requires-Dist: zinc @ https://example.org/a;b.zip ; os_name == 'posix'\n")
refuse("metadata_missing", metadata=None)
refuse("metadata_empty", metadata=b"")
refuse("metadata_lone_cr", metadata=metadata(HEAD + "Summary: x\rRequires-Python: <3\n"))
refuse("metadata_lone_cr_in_fold", metadata=metadata(HEAD + "Summary: x\n y\rRequires-Python: <3\n"))
refuse("metadata_line_without_colon", metadata=metadata("Metadata-Version: 2.1\nName: NAME\nno field\nVersion: 1.0\n"))
refuse("metadata_blank_before_colon", metadata=metadata(HEAD + "Requires-Python : <3\n"))
refuse("metadata_empty_field_name", metadata=metadata(HEAD + ": x\n"))
refuse("metadata_begins_folded", metadata=metadata(" x\n" + HEAD))
refuse("metadata_begins_empty", metadata=metadata("\n" + HEAD))
refuse("metadata_of_an_envelope", metadata=metadata("From someone\n" + HEAD))
refuse("metadata_with_bom", metadata=metadata("\ufeff" + HEAD))
refuse("metadata_in_latin1", metadata=metadata(HEAD + "Author: J\u00fcrgen\n", "latin-1"))
refuse("metadata_in_utf16", metadata=metadata(HEAD, "utf-16"))
refuse("metadata_words_in_latin1", metadata=metadata(HEAD + "\nGr\u00fc\u00dfe\n", "latin-1"))
refuse("metadata_with_nul", metadata=metadata(HEAD + "Summary: a\0b\n"))
refuse("metadata_without_version_of_its_own", metadata=metadata("Name: NAME\nVersion: 1.0\n"))
refuse("metadata_of_two_versions_of_its_own", metadata=metadata("Metadata-Version: 1.0\n" + HEAD))
refuse("metadata_3_0", metadata=metadata(HEAD.replace("2.1", "3.0")))
refuse("metadata_of_no_number", metadata=metadata(HEAD.replace("2.1", "new")))
refuse("metadata_of_two_names", metadata=metadata(HEAD + "Name: other\n"))
refuse("metadata_of_two_versions", metadata=metadata(HEAD + "Version: 2.0\n"))
refuse("metadata_without_name", metadata=b"Metadata-Version: 2.1\nVersion: 1.0\n")
refuse("metadata_without_version", metadata=metadata("Metadata-Version: 2.1\nName: NAME\n"))
refuse("metadata_of_another", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
refuse("metadata_of_another_version", metadata=metadata(HEAD.replace("1.0", "2.0")))
for number, text in enumerate((">=3.6.*", "=>3", "3.7", ">=3 <4", "~=3", "==3.7a1.*", ">=three", ">=3.6; os_name == 'nt'"), 1):
    refuse(f"requires_python_odd_{number}", extra=f"Requires-Python: {text}\n")
refuse("requires_python_twice", extra="Requires-Python: >=3\nRequires-Python: <3\n")
refuse("requires_python_too_long", extra="Requires-Python: " + ",".join(f"!=3.{number}.*" for number in range(40)) + "\n")
for number, text in enumerate(("?", "zinc 1.0", "zinc>=", "zinc; who == 'me'", "zinc; os_name == 'x", "zinc @ ../zinc", "zinc[x",
                               "zinc>=1.0.*", "zinc; curl | sh", "zinc; extra", "<b>zinc</b>", "-r x.txt"), 1):
    refuse(f"requires_dist_odd_{number}", extra=f"Requires-Dist: {text}\n")

# --- WHEEL -----------------------------------------------------------------------------------------------------------

USUAL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
take("wheel_crlf", wheel=(USUAL + "Tag: py3-none-any\n").replace("\n", "\r\n").encode())
take("wheel_of_later_minor", wheel=(USUAL.replace("1.0", "1.9") + "Tag: py3-none-any\n").encode())
take("wheel_without_tags", wheel=USUAL.encode())
take("wheel_with_set_in_tag", tags="py2.py3-none-any", wheel=(USUAL + "Tag: py2.py3-none-any\n").encode())
take("wheel_with_tags_in_other_order", tags="py2.py3-none-any", wheel=(USUAL + "Tag: py3-none-any\nTag: py2-none-any\n").encode())
take("wheel_with_build", build="7", wheel=(USUAL + "Tag: py3-none-any\nBuild: 7\n").encode())
take("wheel_ends_empty", wheel=(USUAL + "Tag: py3-none-any\n\n\n").encode())
refuse("wheel_missing", wheel=None)
refuse("wheel_empty", wheel=b"")
refuse("wheel_in_utf16", wheel=(USUAL + "Tag: py3-none-any\n").encode("utf-16"))
refuse("wheel_in_latin1", wheel=(USUAL + "Tag: py3-none-any\nX: \u00e4\n").encode("latin-1"))
refuse("wheel_2_0", wheel=(USUAL.replace("1.0", "2.0") + "Tag: py3-none-any\n").encode())
refuse("wheel_10_0", wheel=(USUAL.replace("1.0", "10.0") + "Tag: py3-none-any\n").encode())
refuse("wheel_of_no_number", wheel=(USUAL.replace("1.0", "1.x") + "Tag: py3-none-any\n").encode())
refuse("wheel_without_version", wheel=b"Root-Is-Purelib: true\nTag: py3-none-any\n")
refuse("wheel_of_two_versions", wheel=("Wheel-Version: 2.0\n" + USUAL + "Tag: py3-none-any\n").encode())
refuse("wheel_without_purelib", wheel=b"Wheel-Version: 1.0\nTag: py3-none-any\n")
refuse("wheel_of_two_purelibs", wheel=(USUAL + "Root-Is-Purelib: false\nTag: py3-none-any\n").encode())
refuse("wheel_of_odd_purelib", wheel=b"Wheel-Version: 1.0\nRoot-Is-Purelib: yes\nTag: py3-none-any\n")
refuse("wheel_of_capital_purelib", wheel=b"Wheel-Version: 1.0\nRoot-Is-Purelib: True\nTag: py3-none-any\n")
refuse("wheel_of_another_tag", wheel=(USUAL + "Tag: cp311-cp311-linux_x86_64\n").encode())
refuse("wheel_of_one_more_tag", wheel=(USUAL + "Tag: py3-none-any\nTag: py2-none-any\n").encode())
refuse("wheel_of_one_tag_less", tags="py2.py3-none-any", wheel=(USUAL + "Tag: py3-none-any\n").encode())
refuse("wheel_of_odd_tag", wheel=(USUAL + "Tag: py3-none\n").encode())
refuse("wheel_with_lone_cr", wheel=(USUAL + "X: y\rTag: py3-none-any\n").encode())
refuse("wheel_line_without_colon", wheel=b"Wheel-Version: 1.0\nhello\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
refuse("wheel_with_text_behind", wheel=(USUAL + "Tag: py3-none-any\n\nTag: cp311-cp311-win32\n").encode())

# --- RECORD ----------------------------------------------------------------------------------------------------------

take("record_sha384", algorithm="sha384")
take("record_sha512", algorithm="sha512")
take("record_crlf", record=lambda lines: "".join(lines).replace("\n", "\r\n").encode())
take("record_without_sizes", record=lambda lines: "".join(line[:line.rindex(",")] + ",\n" for line in lines).encode())
take("record_in_other_order", record=lambda lines: "".join(reversed(lines)).encode())
take("record_quoted", record=lambda lines: "".join('"' + line.replace(",", '",', 1) for line in lines).encode())
take("record_signed", files=files(("record_signed-1.0.dist-info/RECORD.jws", b"{}")), unlisted=("record_signed-1.0.dist-info/RECORD.jws",))
take("record_signed_p7s", files=files(("record_signed_p7s-1.0.dist-info/RECORD.p7s", b"x")),
     unlisted=("record_signed_p7s-1.0.dist-info/RECORD.p7s",))
take("record_without_itself", record=lambda lines: "".join(lines[:-1]).encode())
refuse("record_missing", record=None)
refuse("record_empty", record=lambda lines: b"")
refuse("record_md5", algorithm="md5")
refuse("record_sha1", algorithm="sha1")
refuse("record_sha224", algorithm="sha224")
refuse("record_blake2", algorithm="blake2b")
refuse("record_wrong_hash", files=[("pkg/x.py", b"evil", {"hashed": b"good"})])
refuse("record_wrong_size", record=lambda lines: "".join([lines[0].replace(",12\n", ",13\n"), *lines[1:]]).encode())
refuse("record_lists_absent", record=lambda lines: ("absent.py,,\n" + "".join(lines)).encode())
refuse("record_lists_outside", record=lambda lines: ("../../../bin/x,,\n" + "".join(lines)).encode())
refuse("record_without_a_member", files=files(("pkg/x.py", b"1")), unlisted=("pkg/x.py",))
refuse("record_without_a_hash", record=lambda lines: ("record_without_a_hash.py,,\n" + "".join(lines[1:])).encode())
refuse("record_line_twice", record=lambda lines: "".join([lines[0], *lines]).encode())
refuse("record_padded_hash", record=lambda lines: "".join([lines[0].replace(",12\n", "=,12\n"), *lines[1:]]).encode())
refuse("record_open_quote", record=lambda lines: ('"' + "".join(lines)).encode())

# --- Native code -----------------------------------------------------------------------------------------------------

take("elf_module", tags=X86, files=files((MODULE, elf())))
take("elf_module_by_its_symbol", tags=X86, files=files(("fast.so", elf(exports=["PyInit_fast"]))))
take("elf_abi3", tags="cp37-abi3-linux_x86_64", files=files(("fast.abi3.so", elf())))
take("elf_aarch64", tags="cp311-cp311-linux_aarch64", files=files(("fast.abi3.so", elf("aarch64"))))
take("elf_armv7l", tags="cp311-cp311-linux_armv7l", files=files(("fast.cpython-311-arm-linux-gnueabihf.so", arm())))
take("elf_armv6l", tags="cp311-cp311-linux_armv6l", files=files(("fast.cpython-311-arm-linux-gnueabihf.so", arm())))
take("elf_i686", tags="cp311-cp311-linux_i686", files=files(("fast.abi3.so", i386())))
take("elf_ppc64le", tags="cp311-cp311-linux_ppc64le", files=files(("fast.abi3.so", elf("ppc64"))))
take("elf_s390x", tags="cp311-cp311-linux_s390x", files=files(("fast.abi3.so", elf("s390", order=">"))))
take("elf_riscv64", tags="cp311-cp311-linux_riscv64", files=files(("fast.abi3.so", elf("riscv"))))
take("elf_helper_for_i386", tags=X86, files=files((MODULE, elf()), ("pkg/libhelper.so.1", i386())))
take("elf_firmware_for_arm", tags=X86, files=files((MODULE, elf()), ("pkg/boot.elf", arm(SOFT, kind=PROGRAM))))
take("elf_bpf", tags=X86, files=files((MODULE, elf()), ("pkg/probe.bpf.o", elf("bpf", kind=OBJECT))))
take("elf_avr", tags=X86, files=files((MODULE, elf()), ("pkg/boot.elf", elf("avr", 32, kind=PROGRAM))))
take("elf_xtensa", tags=X86, files=files((MODULE, elf()), ("pkg/stub.bin", elf("xtensa", 32, kind=PROGRAM))))
take("elf_module_of_another_beside", tags=X86, files=files((MODULE, elf()), ("fast.cpython-311-arm-linux-gnueabihf.so", arm())))
take("elf_library_in_any", files=files(("pkg/libhelper.so.1", elf())))
take("elf_program_for_the_path", tags="py3-none-linux_x86_64",
     files=files(("elf_program_for_the_path-1.0.data/scripts/tool", elf(kind=PROGRAM))))
refuse("elf_set_with_any", tags="cp311-cp311-any.linux_aarch64", files=files(("fast.abi3.so", elf())))
refuse("elf_set_of_two_machines", tags="cp311-cp311-linux_aarch64.linux_x86_64", files=files(("fast.abi3.so", elf())))
refuse("elf_for_another", tags="cp311-cp311-linux_aarch64", files=files(("fast.abi3.so", elf())))
refuse("elf_for_another_by_its_symbol", tags="cp311-cp311-linux_aarch64",
       files=files(("fast.so", elf(exports=["PyInit_fast"])), ("own.abi3.so", elf("aarch64"))))
refuse("elf_of_unknown_machine", tags=X86, files=files((MODULE, elf("unknown"))))
refuse("elf_of_32_bits", tags=X86, files=files((MODULE, elf(bits=32))))
refuse("elf_of_32_bits_aarch64", tags="cp311-cp311-linux_aarch64", files=files(("fast.abi3.so", elf("aarch64", 32))))
refuse("elf_of_64_bits_i686", tags="cp311-cp311-linux_i686", files=files(("fast.abi3.so", elf("i386"))))
refuse("elf_big_endian_ppc64le", tags="cp311-cp311-linux_ppc64le", files=files(("fast.abi3.so", elf("ppc64", order=">"))))
refuse("elf_little_endian_s390x", tags="cp311-cp311-linux_s390x", files=files(("fast.abi3.so", elf("s390"))))
refuse("elf_module_in_any", tags="cp311-none-any", files=files((MODULE, elf())))
refuse("elf_module_in_unknown_platform", tags="cp311-cp311-linux_toaster", files=files(("fast.abi3.so", elf())))
refuse("elf_module_cut", tags=X86, files=files((MODULE, elf()[:40])))
refuse("elf_soft_float_armv7l", tags="cp311-cp311-linux_armv7l",
       files=files(("fast.cpython-311-arm-linux-gnueabihf.so", arm(SOFT, exports=["PyInit_fast"]))))
refuse("elf_program_of_another_for_the_path", tags="py3-none-linux_x86_64",
       files=files(("elf_program_of_another_for_the_path-1.0.data/scripts/tool", elf("aarch64", kind=PROGRAM))))
refuse("elf_library_alone_of_another", tags="py3-none-linux_x86_64", files=files(("pkg/libhelper.so.1", elf("aarch64"))))
refuse("elf_library_needed_of_another", tags=X86, files=files(
    (MODULE, elf(needs=["libhelper.so.1"], runpath="$ORIGIN/pkg.libs")), ("pkg.libs/libhelper.so.1", i386())))

# --- What a slave of linux_x86_64 can't have made --------------------------------------------------------------------

refuse("slave_win_amd64", tags="py3-none-win_amd64")
refuse("slave_macos", tags="py3-none-macosx_11_0_x86_64")
refuse("slave_aarch64", tags="py3-none-linux_aarch64")
refuse("slave_set_with_windows", tags="py3-none-manylinux2014_x86_64.win_amd64")
