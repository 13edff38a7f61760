"""A network in an ONNX file, run by ONNX Runtime: from images to the tensor of features that params.yaml names."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx.inliner import inline_local_functions

from stages.backbones.onnx_checks import COLOURS, TYPES, Unfit, check_input, check_plain, choose_output

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
CLOSE = 1e-3  # how near features must be to those of the image alone, relative to the largest


@dataclass(frozen=True)
class OnnxNetwork:
    """A network from images `(n, height, width, 3)` to features `(n, h, w, channels)`.

    Attributes:
        content: The bytes of its file.
        proto: What they say, up to the tensor of features, the only output.
        session: The network in ONNX Runtime.
        image_shape: Height, width and channels of the images.
        gives_channels_first: Whether the channels of maps of features come before height and width.
        takes_many: Whether the network takes any number of images at once, or one.
    """

    content: bytes
    proto: onnx.ModelProto
    session: onnxruntime.InferenceSession
    image_shape: Shape
    gives_channels_first: bool
    takes_many: bool

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def takes_channels_first(self) -> bool:
        """Whether the channels of images come before height and width."""
        return are_channels_first(self.session)

    @property
    def takes_bytes(self) -> bool:
        """Whether the network takes pixels as bytes, which cannot be scaled."""
        return TYPES[self.session.get_inputs()[0].type] is np.uint8

    def arrange(self, images: Array) -> Array:
        """Return images in the order and type of the network's input."""
        return arrange(images, self.session)

    def features(self, images: Array) -> npt.NDArray[np.float32]:
        """Return the features of images; of vectors height and width are 1."""
        found = self.run(images).astype(np.float32)
        if found.ndim == 2:
            return found[:, np.newaxis, np.newaxis]
        return np.ascontiguousarray(found.transpose(0, 2, 3, 1) if self.gives_channels_first else found)

    def run(self, images: Array) -> Array:
        """Return the features of images as the file has them: `(n, channels)`, or maps in its own order.

        Raises:
            Unfit: They have another shape.
        """
        found = run(self.session, images, max(1, len(images)) if self.takes_many else 1)
        if found.ndim not in (2, 4) or len(found) != len(images):
            raise Unfit(f"expected maps or vectors of features, got an output of the shape {found.shape}.")
        return found


def open_network(content: bytes, options: dict[str, Any], image_shape: Shape, threads: int, where: str) -> OnnxNetwork:
    """Return the network of a file.

    Args:
        content: The bytes of the file.
        options: `output`, the name of the tensor of features, any in the file, without it the only output; and
            `channels`, `first` or `last` in maps of features, without it as in images.
        image_shape: Height, width and channels of the images.
        threads: The threads that ONNX Runtime uses.
        where: What errors begin with.

    Raises:
        ValueError: The file is no network from such images to features, or its weights are in other files.
    """
    try:
        proto = choose_output(inline_local_functions(onnx.load_from_string(content)), options.get("output", ""))
        check_plain(proto)
        session = start(proto, threads)
        check_input(session)
        order = options.get("channels")
        is_first = are_channels_first(session) if order is None else order == "first"
        network = OnnxNetwork(content, proto, session, image_shape, is_first, takes_many(session, image_shape))
        network.features(np.zeros((1, *image_shape), np.float32))
    except Unfit as error:
        raise ValueError(f"{where}: {error}") from error
    except Exception as error:  # A damaged file, or images of another size, make parser and runtime raise anything.
        size = "x".join(map(str, image_shape[:2]))
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{where}: expected an ONNX file that takes images of {size} pixels, got: {reason}") from error
    return network


def are_channels_first(session: onnxruntime.InferenceSession) -> bool:
    """Return whether the channels of images come before height and width."""
    return bool(session.get_inputs()[0].shape[1] == COLOURS)


def arrange(images: Array, session: onnxruntime.InferenceSession) -> Array:
    """Return images in the order and type of the network's input."""
    arranged = images.transpose(0, 3, 1, 2) if are_channels_first(session) else images
    return np.ascontiguousarray(arranged, TYPES[session.get_inputs()[0].type])


def run(session: onnxruntime.InferenceSession, images: Array, batch: int) -> Array:
    """Return the network's output for images, so many at once."""
    arranged, (given,) = arrange(images, session), session.get_inputs()
    parts = [arranged[first : first + batch] for first in range(0, len(arranged), batch)]
    found: Array = np.concatenate([session.run(None, {given.name: part})[0] for part in parts])
    return found


def takes_many(session: onnxruntime.InferenceSession, image_shape: Shape) -> bool:
    """Return whether the network says the same of two images at once as of each alone; some files fix the number."""
    if session.get_inputs()[0].shape[0] == 1:
        return False
    most = 255 if TYPES[session.get_inputs()[0].type] is np.uint8 else 1
    images = np.random.default_rng(0).uniform(0, most, (2, *image_shape)).astype(np.float32)
    alone = run(session, images, 1)
    try:
        both = run(session, images, 2)
    except Exception:  # Of ONNX Runtime's errors Exception is the only common base.
        return False
    return both.shape == alone.shape and bool(np.abs(both - alone).max() <= CLOSE * np.abs(alone).max())


def start(proto: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    """Return a network in ONNX Runtime, which computes the same bits with the same number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # not about what it finds odd in a file
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
