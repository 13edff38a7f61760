"""A network in the formats of other runtimes, with all that one must know to use it, and what it says there."""

import io
import json
import logging
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from stages.networks.operations import leaves

IMAGES, PROBABILITIES = "images", "probabilities"  # how the files name their input and output
FACTS = "network.json"  # in the zip archive that ends a TFLite file
MAX_BYTES = 2**31  # both formats' own limit

Floats = npt.NDArray[np.float32]
Predictor = Callable[[Floats], Floats]

ONNX_EXAMPLE = """
import json, onnxruntime
session = onnxruntime.InferenceSession("{target}")
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
[probabilities] = session.run(["probabilities"], {{"images": images}})
"""
TFLITE_EXAMPLE = """
import json, zipfile, tensorflow
classes = json.loads(zipfile.ZipFile("{target}").read("network.json"))["classes"]
network = tensorflow.lite.Interpreter("{target}").get_signature_runner()
probabilities = network(images=images)["probabilities"]
"""


@dataclass(frozen=True)
class Format:
    """What it takes, how a network becomes a file's content, how that is run, and Python that runs it.

    `memory` is the peak of converting as a multiple of the weights: that of VGG, Xception takes a quarter more.
    """

    packages: tuple[str, ...]
    memory: int
    convert: Callable[[keras.Model, dict[str, Any]], bytes]
    open: Callable[[bytes], Predictor]
    example: str


def convert(model: keras.Model, facts: dict[str, Any], kind: str) -> tuple[bytes, Predictor]:
    """The content of a file of that kind, and what runs it: images, float32 in [0, 255], to probabilities.

    Raises:
        ValueError: the network is too large for the format or this machine, or has layers that the format lacks.
    """
    check_size(4 * model.count_params(), kind)
    named = keras.Model(model.inputs, {PROBABILITIES: model.outputs[0]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks NumPy for a type that is to change; TFLite is to move elsewhere.
        try:
            content = FORMATS[kind].convert(named, facts)
            return content, FORMATS[kind].open(content)
        except Exception as error:  # Converters and runtimes raise what they like.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"--to {kind}: expected layers that can be converted, got: {reason}") from error


def check_size(size: int, kind: str) -> None:
    """Nothing, where so many bytes of weights fit into the format, and converting them into this machine's memory.

    Raises:
        ValueError: they do not.
    """
    if size >= MAX_BYTES:
        raise ValueError(f"--to {kind}: expected weights under {MAX_BYTES:,} bytes, got {size:,}.")
    needed, there = FORMATS[kind].memory * size, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise ValueError(f"--to {kind}: expected {needed / 1e9:.0f} GB of memory to convert it, got {there / 1e9:.0f}.")


def in_32_bits(model: keras.Model) -> keras.Model:
    """A copy whose layers all compute in 32 bits, in which alone the formats' runtimes know every layer."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    for layer in leaves(copy):
        layer.dtype_policy = "float32"
    return copy


def is_mixed(model: keras.Model) -> bool:
    """Whether any layer computes in 16 bits."""
    return any(layer.compute_dtype != "float32" for layer in leaves(model))


def to_onnx(model: keras.Model, facts: dict[str, Any]) -> bytes:
    """An ONNX file's content, with each of the facts as JSON in its metadata.

    Its names and their order differ from run to run, because tf2onnx goes through sets; its numbers do not.
    """
    import onnx

    # It logs unknown layers as errors and writes them all the same; the runtime then refuses them.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    os.environ["TF2ONNX_CATCH_ERRORS"] = "FALSE"  # else it copies the network for each of a dozen passes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        model.export(path, format="onnx", verbose=False, input_signature=signature(model))
        proto = onnx.load(path)
    for tensor in (proto.graph.input[0], proto.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.helper.set_model_props(proto, {name: json.dumps(value) for name, value in facts.items()})
    content: bytes = proto.SerializeToString()
    return content


def to_tflite(model: keras.Model, facts: dict[str, Any]) -> bytes:
    """A TFLite file's content, of TFLite's own operations only; behind it, as in TFLite's metadata, a zip archive."""
    import tensorflow as tf

    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        model.export(path, format="litert", verbose=False, input_signature=signature(model), target_spec=built_in)
        content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(zipfile.ZipInfo(FACTS), json.dumps(facts, indent=2) + "\n")
    return content.getvalue()


def signature(model: keras.Model) -> list[keras.InputSpec]:
    """What the file is fed: any number of images."""
    return [keras.InputSpec(shape=model.inputs[0].shape, dtype="float32", name=IMAGES)]


def open_onnx(content: bytes) -> Predictor:
    """What gives the probabilities of images, by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: session.run([PROBABILITIES], {IMAGES: images})[0]


def open_tflite(content: bytes) -> Predictor:
    """What gives the probabilities of images, by TensorFlow's own TFLite interpreter."""
    import tensorflow as tf

    run = tf.lite.Interpreter(model_content=content).get_signature_runner()
    return lambda images: run(**{IMAGES: images})[PROBABILITIES]


FORMATS = {
    "onnx": Format(("onnx", "onnxruntime", "tf2onnx"), 41, to_onnx, open_onnx, ONNX_EXAMPLE),
    "tflite": Format((), 11, to_tflite, open_tflite, TFLITE_EXAMPLE),
}
