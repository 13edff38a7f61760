"""The graph of a network: all its layers, those of nested models included, and the tensors between the layers."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

BGR = "imagenet_bgr"  # the scaling of `networks.layers` that reverses the channels
IMAGE_CHANNELS = 4  # at most; an input with more channels holds activations
PASSED_OVER = (
    keras.layers.Dropout,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
)


@dataclass(frozen=True)
class Step:
    """A call of a layer, the tensors that enter it and the tensor that leaves it; the input has no layer."""

    layer: Any
    inputs: tuple[keras.KerasTensor, ...]
    output: keras.KerasTensor


def trace(model: keras.Model) -> list[Step]:
    """Return the input and all calls of layers, each after the calls it needs; nested models are taken apart."""
    start = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)
    steps = [Step(None, (), start)]

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.Model):
            return run(layer, args[0])
        output = layer(*args, **kwargs)
        entering = (value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, keras.KerasTensor))
        steps.append(Step(layer, tuple(entering), output))
        return output

    def run(nested: keras.Model, x: keras.KerasTensor) -> Any:
        # Keras's own walk over the layers. `clone_model` takes a `call` too, but does not connect the clone to `start`.
        return keras.Model(nested.inputs, nested.outputs)._run_through_graph(x, call_fn=call)

    run(model, start)
    return steps


@lru_cache(maxsize=4)  # Tracing a deep network takes seconds, and a server calls this for each request.
def halves(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return the model from the input to the maps `(batch, h, w, channels)`, and the model from there to the scores.

    Raises:
        ValueError: The network has no maps with height and width.
    """
    steps = trace(model)
    maps = find_maps(steps)
    if maps is None:
        raise ValueError(f"{model.name}: expected a network with a convolution, got one without maps of the image.")
    return keras.Model(steps[0].output, maps), keras.Model(maps, class_scores(steps))


def find_maps(steps: list[Step]) -> keras.KerasTensor | None:
    """Return the last tensor with height and width that all paths go through; None if there is no such tensor.

    The outputs of pooling and dropout do not count. The tensor is the output of the last convolution, the concatenation
    of two towers, or an input that holds activations. An image itself is not a map: a convolution must come before.
    """
    found, has_weights = None, steps[0].output.shape[-1] > IMAGE_CHANNELS
    for position, step in enumerate(steps):
        has_weights = has_weights or any(len(weight.shape) == 4 for weight in getattr(step.layer, "weights", ()))
        is_map = len(step.output.shape) == 4 and not isinstance(step.layer, PASSED_OVER)
        if has_weights and is_map and is_passage(steps, position):
            found = step.output
    return found


def is_passage(steps: list[Step], position: int) -> bool:
    """Return whether the steps after this step use no earlier tensor than its output."""
    later = {id(step.output) for step in steps[position + 1 :]}
    entering = {id(tensor) for step in steps[position + 1 :] for tensor in step.inputs} - later
    return entering == {id(steps[position].output)}


def class_scores(steps: list[Step]) -> keras.KerasTensor:
    """Return the scores of the classes before the softmax, which is a layer or part of the last dense layer.

    The gradient of a probability vanishes near 0 and 1, and the gradient of a score does not. A network that ends with
    another layer has no such scores, and its output is returned.
    """
    last = steps[-1]
    if isinstance(last.layer, keras.layers.Softmax | keras.layers.Activation):
        return last.inputs[0]
    if not isinstance(last.layer, keras.layers.Dense):
        return last.output
    scores = keras.ops.matmul(last.inputs[0], last.layer.kernel)
    return scores if last.layer.bias is None else keras.ops.add(scores, last.layer.bias)


def last_features(model: keras.Model) -> keras.Model:
    """Return the model from the network's input to the input of its last dense layer, `(batch, features)`.

    Raises:
        ValueError: The network has no dense layer.
    """
    steps = trace(model)
    for step in reversed(steps):
        if isinstance(step.layer, keras.layers.Dense):
            return keras.Model(steps[0].output, step.inputs[0])
    raise ValueError(f"{model.name}: expected a network with a dense layer, got one without.")


def first_kernels(model: keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    """Return the kernels `(height, width, channels, filters)` of the first convolution on each path, by layer name.

    The channels are in the order of the image, also if the network reverses them.
    """
    steps = trace(model)
    order = -1 if any(getattr(step.layer, "name", "") == f"scale_{BGR}" for step in steps) else 1
    kernels: dict[str, npt.NDArray[np.float32]] = {}
    convolved: set[int] = set()
    for step in steps:
        is_convolution = isinstance(step.layer, keras.layers.Conv2D)
        is_first = not convolved & {id(tensor) for tensor in step.inputs}
        if is_convolution and is_first:
            kernels[step.layer.name] = keras.ops.convert_to_numpy(step.layer.kernel)[:, :, ::order]
        if is_convolution or not is_first:
            convolved.add(id(step.output))
    return dict(sorted(kernels.items()))
