"""HiResCAM: a heat map of the positions in an image that speak for a class.

Draelos and Carin 2020 (https://arxiv.org/abs/2011.08891). Grad-CAM (Selvaraju et al. 2017) averages the gradient over
all positions first, which is the same under average pooling; in a network that flattens its maps each position has a
gradient of its own, and the average may blank out all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from stages.networks.layer_graph import halves
from stages.networks.predicting import predict

COLOURS = "viridis"  # its lightness rises evenly, so that it can be read in grey and by colour-blind people
OPACITY = 0.6


def heatmaps(
    model: keras.Model, rows: npt.NDArray[Any], class_numbers: Sequence[int], batch_size: int
) -> npt.NDArray[np.float32]:
    """Return how much each position of a row speaks for the row's class, `(n, h, w)` in [0, 1].

    A heat map is the sum over the channels of the network's maps, weighted at each position by the gradient of what
    `gradients` takes for the class. Negative values become 0, and each heat map is divided by its maximum. If no
    position speaks for the class, the whole heat map is 0. `h` and `w` are the height and width of the network's maps.
    For one batch size and number of threads, the heat map of a row depends only on the row.

    Raises:
        ValueError: The network has no maps with height and width.
    """
    front, back = halves(model)
    maps = np.asarray(predict(front, rows, batch_size), np.float32)
    heat = np.maximum((maps * gradients(back, maps, class_numbers, batch_size)).sum(axis=-1), 0)
    most = heat.max(axis=(1, 2), keepdims=True, initial=0)
    scaled: npt.NDArray[np.float32] = np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)
    return scaled


def gradients(
    back: keras.Model, maps: npt.NDArray[np.float32], class_numbers: Sequence[int], batch_size: int
) -> npt.NDArray[np.float32]:
    """Return the derivative, with respect to a row's maps, of the score of its class less the mean of the other scores.

    The scores are those before the softmax, for which only differences count: a position that raises all scores alike
    speaks for none. The last batch is filled with zeros.
    """
    import tensorflow as tf  # Keras has no function for gradients.

    missing = -len(maps) % batch_size
    filled = np.concatenate([maps, np.zeros((missing, *maps.shape[1:]), np.float32)])
    n_classes = back.output_shape[-1]
    own = np.eye(n_classes, dtype=np.float32)[[*class_numbers, *[0] * missing]]
    chosen = own - (1 - own) / np.float32(n_classes - 1)
    parts = []
    for start in range(0, len(filled), batch_size):
        batch = tf.convert_to_tensor(filled[start : start + batch_size])
        with tf.GradientTape() as tape:
            tape.watch(batch)
            score = keras.ops.sum(back(batch, training=False) * chosen[start : start + batch_size])
        parts.append(tape.gradient(score, batch).numpy())
    return np.concatenate([*parts, np.empty((0, *maps.shape[1:]), np.float32)])[: len(maps)]


def overlay(pixels: npt.NDArray[np.uint8], heatmap: npt.NDArray[np.float32]) -> Image.Image:
    """Return the image `(height, width, 3)` in grey under its heat map, from purple for 0 to yellow for 1."""
    height, width = pixels.shape[:2]
    smooth = Image.fromarray(heatmap, mode="F").resize((width, height), Image.Resampling.BICUBIC)
    heat = matplotlib.colormaps[COLOURS](np.clip(np.asarray(smooth), 0, 1), bytes=True)[..., :3]
    grey = ImageOps.grayscale(Image.fromarray(pixels)).convert("RGB")
    return Image.blend(grey, Image.fromarray(heat), OPACITY)


@dataclass(frozen=True)
class View:
    """An image `(height, width, 3)` and its heat map `(h, w)`."""

    pixels: npt.NDArray[np.uint8]
    heat: npt.NDArray[np.float32]

    def image(self, side: int) -> Image.Image:
        """Return the image, resized so that its longer side has this number of pixels."""
        return ImageOps.contain(Image.fromarray(self.pixels), (side, side))

    def overlaid(self, side: int) -> Image.Image:
        """Return the image under its heat map, resized so that its longer side has this number of pixels."""
        return overlay(np.asarray(self.image(side)), self.heat)
