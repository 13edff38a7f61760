"""The work of a process of `benchmarks.training` in each round: train, feed, or multiply matrices."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from benchmarks.rounds import Cost
from stages import models
from stages.networks.determinism import fix
from stages.networks.inputs import SplitRows
from stages.training.batches import Batches, readable
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation

AMOUNTS = Augmentation(rotation=18, zoom=0.1, shift=0.1, horizontal_flip=True)
EPOCHS_FED = 10  # in a round, since feeding takes little
PRODUCT_SIDE, PRODUCTS = 2048, 16
Work = Callable[[], dict[str, int]]


@dataclass(frozen=True)
class Setting:
    """The settings of all cases: the folder of `images.npy` and, with the same pixels, `files/<class>/<number>.png`."""

    folder: Path
    classes: int
    batch_size: int
    threads: int

    @property
    def array(self) -> Any:
        """The images, uint8 `(n, side, side, 3)`; the class of row i is i modulo classes."""
        return np.load(self.folder / "images.npy", mmap_mode="r")


@dataclass(frozen=True)
class Case:
    """The work of one process, and the settings of its network that differ from `params.yaml`."""

    work: Literal["fit", "feed", "product"]
    feeder: Literal["ours", "keras"] = "ours"
    network: str = "vgg16"
    changes: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"


def feed_ours(setting: Setting) -> Batches:
    """Return the images as `train` feeds them."""
    rows = np.arange(len(setting.array))
    part = SplitRows(rows, rows % setting.classes)
    return Batches(setting.array, part, setting.batch_size, 0, np.ones(setting.classes), AMOUNTS)


def feed_keras(setting: Setting) -> tf.data.Dataset:
    """Return the files as Keras's guides on image classification feed them, with the same amounts of changes."""
    shape = setting.array.shape[1:3]
    files = keras.utils.image_dataset_from_directory(
        setting.folder / "files", label_mode="categorical", batch_size=setting.batch_size, image_size=shape, seed=0,
        verbose=False,
    )  # fmt: skip
    change = keras.Sequential([
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(AMOUNTS.rotation / 360, fill_mode="nearest"),
        keras.layers.RandomZoom(AMOUNTS.zoom, fill_mode="nearest"),
        keras.layers.RandomTranslation(AMOUNTS.shift, AMOUNTS.shift, fill_mode="nearest"),
    ])  # fmt: skip
    changed = files.map(lambda x, y: (change(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
    return changed.prefetch(tf.data.AUTOTUNE)


FEEDERS: dict[str, Callable[[Setting], Any]] = {"ours": feed_ours, "keras": feed_keras}


def count_multiply_adds(model: keras.Model) -> int:
    """Return the multiplications, each with an addition, that an image costs in convolutions and dense layers."""
    weighted = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in weighted)


def prepare_fit(case: Case, setting: Setting) -> Work:
    """Return a function that trains for an epoch."""
    keras.config.set_dtype_policy(case.precision)
    network = models.load(case.network)
    settings = read_settings(case.network, network).model_copy(update=case.changes)
    model = network.build(setting.array.shape[1:], setting.classes, settings)
    model.compile(
        keras.optimizers.Adam(settings.learning_rate), "categorical_crossentropy", metrics=["categorical_accuracy"]
    )
    data = FEEDERS[case.feeder](setting)
    read = readable(data) if isinstance(data, Batches) else data
    # Forward once, backward twice: the gradients by a layer's inputs and by its weights.
    flops = 3 * 2 * count_multiply_adds(model) * setting.batch_size

    def work() -> dict[str, int]:
        before = int(model.optimizer.iterations.numpy())
        model.fit(read, shuffle=False, verbose=0)
        steps = int(model.optimizer.iterations.numpy()) - before
        return {"steps": steps, "flops": flops * steps, "parameters": model.count_params()}

    return work


def prepare_feed(case: Case, setting: Setting) -> Work:
    """Return a function that makes the batches of several epochs and does nothing with them."""
    data = FEEDERS[case.feeder](setting)

    def feed_epoch() -> list[int]:
        if isinstance(data, Batches):
            data.epoch += 1
        batches = map(data.__getitem__, range(len(data))) if isinstance(data, Batches) else data
        return [len(np.asarray(batch[0])) for batch in batches]

    def work() -> dict[str, int]:
        sizes = [size for _ in range(EPOCHS_FED) for size in feed_epoch()]
        return {"batches": len(sizes), "images": sum(sizes)}

    return work


def prepare_product(case: Case, setting: Setting) -> Work:
    """Return a function that multiplies square float32 matrices."""
    matrix = tf.random.normal((PRODUCT_SIDE, PRODUCT_SIDE), seed=0)

    def work() -> dict[str, int]:
        for _ in range(PRODUCTS):
            tf.linalg.matmul(matrix, matrix).numpy()
        return {"flops": 2 * PRODUCT_SIDE**3 * PRODUCTS}

    return work


PREPARE: dict[str, Callable[[Case, Setting], Work]] = {
    "fit": prepare_fit, "feed": prepare_feed, "product": prepare_product,
}  # fmt: skip
PREPARED: list[Work] = []  # the work of this process's case


def start(case: Case, setting: Setting) -> None:
    """Set this process up for the case, and do its work once."""
    if case.feeder == "ours":
        fix(0, setting.threads)
    else:  # Plain Keras does not ask for the determinism that slows some operations down.
        tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
        tf.config.threading.set_inter_op_parallelism_threads(setting.threads)
    PREPARED[:] = [PREPARE[case.work](case, setting)]
    PREPARED[0]()


def work_once() -> tuple[Cost, dict[str, int]]:
    """Do this process's work, and return its cost and what it did."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = PREPARED[0]()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu), done
