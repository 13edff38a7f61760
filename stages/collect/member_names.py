"""The names of an archive's members, as programs that unpack archives take them."""

import re
import zipfile
from pathlib import Path

UTF_8 = 0x800  # the flag of a member whose name is in UTF-8


def relative(name: str) -> str:
    """Return a member's name as unpacking programs take it: with forward slashes, without drive and root."""
    if "/" not in name:
        name = name.replace("\\", "/")
    return re.sub(r"^(?:[A-Za-z]:)?/+", "", name.encode("utf-8", "replace").decode())


def decode_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a zip's member; names in UTF-8 without the flag for it are read as UTF-8 all the same."""
    if info.flag_bits & UTF_8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def is_guessed(info: zipfile.ZipInfo) -> bool:
    """Return whether the encoding of a member's name is unknown, so that it was taken for code page 437."""
    try:
        (b"" if info.flag_bits & UTF_8 else info.filename.encode("cp437")).decode("utf-8")
    except UnicodeDecodeError:
        return True
    except UnicodeEncodeError:  # The name comes from elsewhere in the archive.
        return False
    return False


def describe_guessed(path: Path) -> list[str]:
    """Return in a line that names in the zip archive may be wrong, if their encoding is unknown."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        guessed = [info.filename for info in archive.infolist() if is_guessed(info)]
    return [
        f"collect: {path.name} does not say how its names are encoded, {guessed[0]!r} for one; if that is not the "
        "name, unpack the archive and collect the folder."
    ] if guessed else []  # fmt: skip
