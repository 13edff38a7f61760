"""A Keras model around a network in an ONNX file, so that all that takes a backbone takes it too."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from stages.networks.operations import leaves

if TYPE_CHECKING:  # ONNX and its runtime are imported where a file is opened.
    from stages.backbones.onnx_file import OnnxNetwork

Shape = tuple[int, ...]


class OnnxLayer(keras.layers.Layer):  # type: ignore[misc]
    """The network as a layer without weights, through which no gradients flow."""

    def __init__(self, network: "OnnxNetwork", name: str) -> None:
        super().__init__(name=name, trainable=False, dtype="float32")
        self.network = network
        self.features_shape = network.features(np.zeros((1, *network.image_shape), np.float32)).shape[1:]

    def call(self, images: Any) -> Any:
        """Return the features of scaled images."""
        import tensorflow as tf  # Keras has no operation that calls Python.

        features = tf.numpy_function(self.network.features, [images], tf.float32)
        features.set_shape((images.shape[0], *self.features_shape))
        return features

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the features, `(batch, h, w, channels)`."""
        return (input_shape[0], *self.features_shape)


def as_model(network: "OnnxNetwork", name: str) -> keras.Model:
    """Return the network as a model from scaled images to features."""
    images = keras.Input(network.image_shape)
    return keras.Model(images, OnnxLayer(network, f"{name}_onnx")(images), name=name)


def find_network(model: keras.Model) -> "OnnxNetwork | None":
    """Return the network of the model's ONNX file; None of a model of Keras's own layers."""
    return next((layer.network for layer in leaves(model) if isinstance(layer, OnnxLayer)), None)
