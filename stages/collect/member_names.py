"""The names of an archive's members, as programs that unpack archives take them."""

import re
import zipfile


def relative(name: str) -> str:
    """Return a member's name as unpacking programs take it: with forward slashes, without drive and root."""
    if "/" not in name:
        name = name.replace("\\", "/")
    return re.sub(r"^(?:[A-Za-z]:)?/+", "", name.encode("utf-8", "replace").decode())


def decode_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a zip's member; names in UTF-8 without the flag for it are read as UTF-8 all the same."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename
