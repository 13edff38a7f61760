"""Tensors from a file as PyTorch wrote it before version 1.6, read without PyTorch and without running what is in it.

Such a file is five pickles (a magic number, a version, facts about the machine, the tensors by name, and the keys of
their storages), and then the storages: for each its number of elements and the elements. A pickle is a program. Only
the operations that PyTorch writes are carried out here, and only the four globals that tensors need are known.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of `torch.save` in the file format before 1.6
OPERATIONS = frozenset({
    "PROTO", "STOP", "MARK", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "NONE",
    "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "GLOBAL", "BINPERSID", "REDUCE",
    "BUILD", "SETITEM", "SETITEMS", "APPEND", "APPENDS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
})  # fmt: skip
MOST_OPERATIONS = 1_000_000  # of a pickle; a network of 300 tensors takes some thousands
COUNTER = "num_batches_tracked"  # of a batch normalisation; Keras has none

Array = npt.NDArray[Any]


class Refused(ValueError):
    """The reason why a file is not read, in a line of ours."""


@dataclass
class Storage:
    """The elements that tensors are views of; they come after all pickles."""

    dtype: str
    count: int
    values: Array | None = None


@dataclass(frozen=True)
class View:
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
            raise Refused(f"{name}: expected a tensor with a storage, sizes and strides, got {numbers}.")
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape or np.prod(self.shape, dtype=object) > len(values) or last >= len(values):
            raise Refused(
                f"{name}: expected a tensor inside of its {len(values)} elements, got the shape {self.shape} with "
                f"strides {self.strides} from element {self.offset}."
            )
        steps = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps, writeable=False)


def make_view(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> View:
    """Return the tensor of PyTorch's arguments, of which the further ones are about training."""
    return View(storage, offset, shape, strides)


GLOBALS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): make_view,
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
        if kind != "storage" or dtype not in ("<f4", "<i8") or not isinstance(key, str) or view is not None:
            raise Refused(f"expected the storage of a tensor, got {str(pid)[:80]}.")
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
    if not isinstance(views, dict) or not all(isinstance(view, View) for view in views.values()):
        raise Refused("expected a dictionary of tensors, got something else.")
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise Refused("expected the keys of all storages, got others.")
    for key in keys:
        read_storage(stream, storages[key], key)
    return {str(name): view.read(str(name)) for name, view in views.items()}


def load_next(stream: io.BytesIO, storages: dict[str, Storage]) -> Any:
    """Return what the stream's next pickle holds, after a look at all of its operations.

    Raises:
        Refused: The pickle is damaged, or does more than build tensors.
    """
    start = stream.tell()
    try:
        operations = list(islice(pickletools.genops(stream), MOST_OPERATIONS))
        end = stream.tell()
        check_operations(operations)
        stream.seek(start)
        loaded = Unpickler(io.BytesIO(stream.read(end - start)), storages).load()
    except Refused:
        raise
    except Exception as error:  # What damages a pickle can make any operation fail in any way.
        raise Refused(f"expected a pickle of tensors, got a damaged one: {error}.") from error
    stream.seek(end)
    return loaded


def check_operations(operations: list[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> None:
    """Check that a pickle ends, and that it does what PyTorch's do.

    Raises:
        Refused: It goes on too long, has another operation, or reserves memory for places far off.
    """
    for number, (operation, argument, position) in enumerate(operations):
        is_too_far = operation.name.endswith("BINPUT") and argument > number
        if operation.name not in OPERATIONS or is_too_far:
            raise Refused(f"expected a pickle of tensors, got the operation {operation.name} at {position}.")
    if operations[-1][0].name != "STOP":
        raise Refused(f"expected a pickle of at most {MOST_OPERATIONS} operations, got a longer one.")


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


def fill(backbone: keras.Model, tensors: dict[str, Array]) -> None:
    """Set the backbone's weights to the tensors, which have the same order; those of a classifier may follow.

    PyTorch's kernels `(out, in, h, w)` become Keras's `(h, w, in, out)`, and of depthwise convolutions `(h, w, in, 1)`.

    Raises:
        Refused: A weight has no tensor of its shape.
    """
    left = iter((name, tensor) for name, tensor in tensors.items() if not name.endswith(COUNTER))
    for layer in backbone.layers:
        weights = []
        for weight in layer.weights:
            name, tensor = next(left, ("", np.zeros(0)))
            if tensor.ndim == 4:
                is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                tensor = tensor.transpose((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0))
            if tensor.shape != tuple(weight.shape):
                raise Refused(
                    f"{layer.name}: expected a tensor of the shape {tuple(weight.shape)}, got {name or 'none'} of the "
                    f"shape {tensor.shape}."
                )
            weights.append(tensor)
        layer.set_weights(weights)
