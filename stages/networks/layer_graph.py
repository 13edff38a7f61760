"""Inside a network: its layers one by one, whatever models are nested in it, and the tensors between them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

BGR = "imagenet_bgr"  # the scaling of `core.layers` that turns the channels around
PICTURE_CHANNELS = 4  # at most; an input with more holds activations
PASSED_OVER = (
    keras.layers.Dropout,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
)


@dataclass(frozen=True)
class Step:
    """A layer at work: the tensors that enter it and the one that leaves it; the input is a step without a layer."""

    layer: Any
    inputs: tuple[keras.KerasTensor, ...]
    output: keras.KerasTensor


def trace(model: keras.Model) -> list[Step]:
    """The input and the network's layers, each after those that it needs, those of nested models in their place."""
    start = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)
    steps = [Step(None, (), start)]

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.Model):
            return run(layer, args[0])
        output = layer(*args, **kwargs)
        entering = (each for each in keras.tree.flatten((args, kwargs)) if isinstance(each, keras.KerasTensor))
        steps.append(Step(layer, tuple(entering), output))
        return output

    def run(nested: keras.Model, x: keras.KerasTensor) -> Any:
        # Keras's own walk. `clone_model` takes such a `call` too, but cuts what it makes off from what is around it.
        return keras.Model(nested.inputs, nested.outputs)._run_through_graph(x, call_fn=call)

    run(model, start)
    return steps


@lru_cache(maxsize=4)  # Tracing a deep network takes seconds, and a server asks again and again.
def halves(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The network up to its maps `(batch, h, w, channels)`, and from there to the scores of its classes.

    Raises:
        ValueError: nothing in the network looks at places of a picture.
    """
    steps = trace(model)
    maps = find_maps(steps)
    if maps is None:
        raise ValueError(f"{model.name}: expected a network with a convolution, got one without maps of the picture.")
    return keras.Model(steps[0].output, maps), keras.Model(maps, class_scores(steps))


def find_maps(steps: list[Step]) -> keras.KerasTensor | None:
    """The last tensor with height and width that all paths go through, pooling and dropout aside; None for none.

    That is the last convolution's activations, the concatenation of two towers, or an input that holds activations.
    A picture alone is no map: a convolution must have seen it.
    """
    found, has_seen = None, steps[0].output.shape[-1] > PICTURE_CHANNELS
    for position, step in enumerate(steps):
        has_seen = has_seen or any(len(weight.shape) == 4 for weight in getattr(step.layer, "weights", ()))
        is_map = len(step.output.shape) == 4 and not isinstance(step.layer, PASSED_OVER)
        if has_seen and is_map and is_passage(steps, position):
            found = step.output
    return found


def is_passage(steps: list[Step], position: int) -> bool:
    """Whether nothing but the step's own output enters the steps after it."""
    later = {id(step.output) for step in steps[position + 1 :]}
    entering = {id(each) for step in steps[position + 1 :] for each in step.inputs} - later
    return entering == {id(steps[position].output)}


def class_scores(steps: list[Step]) -> keras.KerasTensor:
    """The scores of the classes before the softmax, where that is a layer or stands in the last dense layer.

    Where it is neither, the network's output: its gradient vanishes as a probability nears 0 or 1.
    """
    last = steps[-1]
    if isinstance(last.layer, keras.layers.Softmax | keras.layers.Activation):
        return last.inputs[0]
    if not isinstance(last.layer, keras.layers.Dense):
        return last.output
    scores = keras.ops.matmul(last.inputs[0], last.layer.kernel)
    return scores if last.layer.bias is None else keras.ops.add(scores, last.layer.bias)


def last_features(model: keras.Model) -> keras.Model:
    """The network up to what enters its last dense layer, `(batch, features)`.

    Raises:
        ValueError: it has no dense layer.
    """
    steps = trace(model)
    for step in reversed(steps):
        if isinstance(step.layer, keras.layers.Dense):
            return keras.Model(steps[0].output, step.inputs[0])
    raise ValueError(f"{model.name}: expected a network with a dense layer, got one without.")


def first_kernels(model: keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    """The weights `(height, width, channels, filters)` of each convolution that no other comes before, by its name.

    Their channels are in the picture's order, also where the network turns these around.
    """
    steps = trace(model)
    order = -1 if any(getattr(step.layer, "name", "") == f"scale_{BGR}" for step in steps) else 1
    kernels: dict[str, npt.NDArray[np.float32]] = {}
    convolved: set[int] = set()
    for step in steps:
        is_convolution = isinstance(step.layer, keras.layers.Conv2D)
        is_first = not convolved & {id(each) for each in step.inputs}
        if is_convolution and is_first:
            kernels[step.layer.name] = keras.ops.convert_to_numpy(step.layer.kernel)[:, :, ::order]
        if is_convolution or not is_first:
            convolved.add(id(step.output))
    return dict(sorted(kernels.items()))
