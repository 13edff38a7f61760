"""Tensors from a file as PyTorch wrote it before version 1.6, read without PyTorch and without running what is in it.

Such a file is five pickles (a magic number, a version, facts about the machine, the tensors by name, and the keys of
their storages), and then the storages: for each its number of elements and the elements. A pickle is a program. Only
the operations that PyTorch writes are carried out here, only the four globals that tensors need are known, and none can
be changed.
"""

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.pretrained.pickle_operations import Refused, check_operations

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of `torch.save` in the file format before 1.6
Array = npt.NDArray[Any]


class Fixed:
    """What a pickle can name or make, and cannot change."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Refuse the state that a pickle sets."""
        raise Refused("expected a pickle of tensors, got one that changes them.")


@dataclass(eq=False)
class Storage(Fixed):
    """The elements that tensors are views of; they come after all pickles."""

    dtype: str
    count: int
    values: Array | None = None


@dataclass(frozen=True, eq=False)
class View(Fixed):
    """The tensor of a shape whose element [i, j, …] is element `offset + i * strides[0] + …` of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, name: str) -> Array:
        """Return the tensor.

        Raises:
            Refused: The tensor is larger than its storage, or reaches out of it.
        """
        values = self.storage.values
        numbers = (self.offset, *self.shape, *self.strides)
        are_numbers = all(isinstance(number, int) and number >= 0 for number in numbers)
        if values is None or len(self.shape) != len(self.strides) or not are_numbers:
            raise Refused(f"{name}: expected a tensor with a storage, sizes and as many strides, got others.")
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape or np.prod(self.shape, dtype=object) > len(values) or last >= len(values):
            raise Refused(
                f"{name}: expected a tensor inside of its {len(values)} elements, got the shape {self.shape} with "
                f"strides {self.strides} from element {self.offset}."
            )
        steps = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps, writeable=False)


class Rebuild(Fixed):
    """PyTorch's function from a storage, and which of its elements, to a tensor."""

    __slots__ = ()

    def __call__(
        self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *about_training: Any
    ) -> View:
        """Return the tensor."""
        return View(storage, offset, shape, strides)


class Tensors(OrderedDict[str, View]):
    """Tensors by name; what else PyTorch's own dictionary carries is left behind."""

    def __setstate__(self, state: object) -> None:
        """Leave the state behind."""


GLOBALS = {
    ("collections", "OrderedDict"): Tensors,
    ("torch._utils", "_rebuild_tensor_v2"): Rebuild(),
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class Unpickler(pickle.Unpickler):
    """An unpickler that knows tensors of 32-bit floats and 64-bit integers, and ordered dictionaries of them."""

    def __init__(self, stream: io.BytesIO, storages: dict[str, Storage]) -> None:
        super().__init__(stream)
        self.storages = storages

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in GLOBALS:
            raise Refused(f"expected tensors of floats alone, got {module_name}.{global_name}.")
        return GLOBALS[module_name, global_name]

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _, count, view = pid
        are_of_kind = isinstance(key, str) and isinstance(count, int) and isinstance(dtype, str)
        if kind != "storage" or not are_of_kind or dtype not in ("<f4", "<i8") or view is not None:
            raise Refused("expected the storage of a tensor, got something else.")
        return self.storages.setdefault(key, Storage(dtype, count))


def read_tensors(content: bytes) -> dict[str, Array]:
    """Return the tensors of the file's content by their names, in the order of the file.

    Raises:
        Refused: The content is no such file, is cut off, or holds anything but tensors.
    """
    stream, storages = io.BytesIO(content), dict[str, Storage]()
    head = [load_next(stream, storages) for _ in range(3)]
    if head[:2] != [MAGIC, VERSION] or not isinstance(head[2], dict) or head[2].get("little_endian") is not True:
        raise Refused("expected a file that PyTorch wrote before 1.6 on a little-endian machine, got another.")
    views, keys = load_next(stream, storages), load_next(stream, storages)
    # Whatever is no text or number is not named: nested in itself, it could be longer than any memory.
    if not isinstance(views, dict) or not all(
        isinstance(name, str) and isinstance(views[name], View) for name in views
    ):
        raise Refused("expected a dictionary of tensors, got something else.")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(storages):
        raise Refused("expected the keys of all storages, got others.")
    for key in keys:
        read_storage(stream, storages[key], key)
    return {name: view.read(name) for name, view in views.items()}


def load_next(stream: io.BytesIO, storages: dict[str, Storage]) -> Any:
    """Return what the stream's next pickle holds, after a look at all of its operations.

    Raises:
        Refused: The pickle is damaged, or does more than build tensors.
    """
    start = stream.tell()
    try:
        check_operations(stream)
        end = stream.tell()
        stream.seek(start)
        loaded = Unpickler(io.BytesIO(stream.read(end - start)), storages).load()
    except Refused:
        raise
    except Exception as error:  # What damages a pickle can make any operation fail in any way.
        raise Refused(f"expected a pickle of tensors, got a damaged one: {str(error)[:100]}.") from error
    stream.seek(end)
    return loaded


def read_storage(stream: io.BytesIO, storage: Storage, key: str) -> None:
    """Read the elements of a storage.

    Raises:
        Refused: The file has another number of elements than its tensors say, or ends before them.
    """
    count = int.from_bytes(stream.read(8), "little", signed=True)
    size = np.dtype(storage.dtype).itemsize
    left = len(stream.getbuffer()) - stream.tell()
    if count != storage.count or not 0 <= count * size <= left:
        raise Refused(
            f"storage {key}: expected {storage.count} elements, got {count}, of which the file has {left // size}."
        )
    storage.values = np.frombuffer(stream.read(count * size), storage.dtype)
