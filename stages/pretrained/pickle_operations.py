"""The operations that a pickle may have: those with which PyTorch writes tensors, used as PyTorch uses them."""

import io
import pickletools
from itertools import islice

OPERATIONS = frozenset({
    "PROTO", "STOP", "MARK", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "NONE",
    "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "GLOBAL", "BINPERSID", "REDUCE",
    "BUILD", "SETITEM", "SETITEMS", "APPEND", "APPENDS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
})  # fmt: skip
MOST_OPERATIONS = 1_000_000  # of a pickle; a network of 300 tensors takes some thousands


class Refused(ValueError):
    """The reason why a file is not read, in a line of ours."""


def check_operations(stream: io.BytesIO) -> None:
    """Read to the end of the stream's next pickle, and check that it does what PyTorch's do.

    A tuple is used once: of tuples in tuples, forty levels deep, a few bytes would make a million million parts.

    Raises:
        Refused: It goes on too long, has another operation, reserves memory for places far off, or uses a tuple again.
        ValueError: It is damaged.
    """
    name, tuples = "", set()
    for number, (operation, argument, position) in enumerate(islice(pickletools.genops(stream), MOST_OPERATIONS)):
        before, name = name, operation.name
        is_stored, is_tuple = name.endswith("BINPUT"), before.startswith("TUPLE")
        if is_stored and is_tuple:
            tuples.add(argument)
        is_harmful = (is_stored and int(argument or 0) > number) or (name.endswith("BINGET") and argument in tuples)
        if name not in OPERATIONS or is_harmful:
            raise Refused(f"expected a pickle of tensors, got the operation {name} at {position}.")
    if name != "STOP":
        raise Refused(f"expected a pickle of at most {MOST_OPERATIONS} operations, got a longer one.")
