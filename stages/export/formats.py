"""The file formats of other runtimes: how to convert a network, and how to run the file."""

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

from stages.backbones.onnx_layer import find_network
from stages.networks.operations import leaves

IMAGES, PROBABILITIES, NOVELTY = "images", "probabilities", "novelty"  # names of a file's input and outputs
FACTS = "network.json"  # in the zip archive that ends a TFLite file
MAX_BYTES = 2**31  # the limit of both formats

Floats = npt.NDArray[np.float32]
Predictor = Callable[[Floats], dict[str, Floats]]

ONNX_EXAMPLE = """
import json, onnxruntime
session = onnxruntime.InferenceSession("{target}")
facts = {{key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}}
names = [output.name for output in session.get_outputs()]
said = dict(zip(names, session.run(names, {{"images": images}})))
"""
TFLITE_EXAMPLE = """
import json, zipfile
from ai_edge_litert.interpreter import Interpreter
facts = json.loads(zipfile.ZipFile("{target}").read("network.json"))
said = Interpreter("{target}").get_signature_runner()(images=images)
"""


@dataclass(frozen=True)
class Format:
    """A file format: required packages, functions to convert a network and to open a file, and an example in Python.

    `memory` is the peak memory of the conversion as a multiple of the weights, measured with VGG; Xception needs a
    quarter more.
    """

    packages: tuple[str, ...]
    memory: int
    convert: Callable[[keras.Model, dict[str, Any], keras.Model | None], bytes]
    open: Callable[[bytes], Predictor]
    example: str


def convert(
    model: keras.Model, facts: dict[str, Any], kind: str, frozen: keras.Model | None = None
) -> tuple[bytes, Predictor]:
    """Convert a network; return the content of the file, and a function that runs the file on images.

    The function takes images as float32 in [0, 255], and returns each of the network's outputs by its name:
    probabilities, and novelty if the network has a second output.

    Args:
        model: The network, from images; or from the features of the frozen part.
        facts: What the file says of it.
        kind: The format.
        frozen: The part from images to features, if it is an ONNX file behind a layer that scales.

    Raises:
        ValueError: The network is too large for the format or this machine, or has layers that the format lacks.
    """
    network = find_network(frozen) if frozen else None
    check_size(4 * model.count_params() + (len(network.content) if network else 0), kind)
    named = keras.Model(model.inputs, dict(zip((PROBABILITIES, NOVELTY), model.outputs, strict=False)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras makes calls that NumPy and TensorFlow deprecate.
        try:
            content = FORMATS[kind].convert(named, facts, frozen)
            return content, FORMATS[kind].open(content)
        except Exception as error:  # Converters and runtimes raise errors of any type.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"--to {kind}: expected layers that can be converted, got: {reason}") from error


def check_size(size: int, kind: str) -> None:
    """Check that weights of `size` bytes fit into the format, and their conversion into this machine's memory.

    Raises:
        ValueError: The weights or their conversion do not fit.
    """
    if size >= MAX_BYTES:
        raise ValueError(f"--to {kind}: expected weights under {MAX_BYTES:,} bytes, got {size:,}.")
    needed, memory = FORMATS[kind].memory * size, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise ValueError(
            f"--to {kind}: expected {needed / 1e9:.0f} GB of memory to convert it, got {memory / 1e9:.0f}."
        )


def in_32_bits(model: keras.Model) -> keras.Model:
    """Return a copy whose layers all compute in 32 bits: the runtimes know some layers in 32 bits only."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    for layer in leaves(copy):
        layer.dtype_policy = "float32"
    return copy


def is_mixed(model: keras.Model) -> bool:
    """Return whether any layer computes in 16 bits."""
    return any(layer.compute_dtype != "float32" for layer in leaves(model))


def to_onnx(model: keras.Model, facts: dict[str, Any], frozen: keras.Model | None) -> bytes:
    """Return the content of an ONNX file, with each fact as JSON in its metadata.

    The names in the file and their order differ from run to run, because tf2onnx iterates over sets; the numbers do
    not differ.
    """
    import onnx

    if frozen and (network := find_network(frozen)):
        from stages.export.onnx_join import join

        proto = join(frozen.layers[1], network, model, as_proto)
    else:
        proto = as_proto(model)
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.helper.set_model_props(proto, {name: json.dumps(value) for name, value in facts.items()})
    content: bytes = proto.SerializeToString()
    return content


def as_proto(model: keras.Model, version: int | None = None) -> Any:
    """Return Keras's layers as an ONNX graph, of this version of its operations or tf2onnx's own."""
    import onnx

    # tf2onnx logs unknown layers as errors and writes them nevertheless; the runtime then refuses the file.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    os.environ["TF2ONNX_CATCH_ERRORS"] = "FALSE"  # otherwise tf2onnx copies the network for each of a dozen passes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        model.export(path, format="onnx", verbose=False, input_signature=signature(model), opset_version=version)
        return onnx.load(path)


def to_tflite(model: keras.Model, facts: dict[str, Any], frozen: keras.Model | None) -> bytes:
    """Return the content of a TFLite file of built-in operations, followed by a zip archive as in TFLite's metadata.

    Raises:
        ValueError: The frozen part is an ONNX file.
    """
    import tensorflow as tf

    if frozen:
        raise ValueError("a backbone in an ONNX file, which only --to onnx takes in")
    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        model.export(path, format="litert", verbose=False, input_signature=signature(model), target_spec=built_in)
        content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(zipfile.ZipInfo(FACTS), json.dumps(facts, indent=2) + "\n")
    return content.getvalue()


def signature(model: keras.Model) -> list[keras.InputSpec]:
    """Return the input of the file: any number of images."""
    return [keras.InputSpec(shape=model.inputs[0].shape, dtype=model.inputs[0].dtype, name=IMAGES)]


def open_onnx(content: bytes) -> Predictor:
    """Return a function that computes the outputs for images with ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {IMAGES: images}), strict=True))


def open_tflite(content: bytes) -> Predictor:
    """Return a function that computes the outputs for images with LiteRT, the runtime of TFLite files."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=content).get_signature_runner()
    return lambda images: run(**{IMAGES: images})


FORMATS = {
    "onnx": Format(("onnx", "onnxruntime", "tf2onnx"), 41, to_onnx, open_onnx, ONNX_EXAMPLE),
    "tflite": Format(("ai_edge_litert",), 11, to_tflite, open_tflite, TFLITE_EXAMPLE),
}
