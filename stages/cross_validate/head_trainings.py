"""Many trainings of a head on the same activations, in one process and without the cost of a training of its own.

The steps of `training.loop` are made in another way: the model is built and compiled once and gets new weights for each
training; the activations stay on the device; and an epoch is one call, because Keras's own loop takes 8 ms for a step
that computes for 1 ms. Seeds, batches, learning rates, the kept epoch and the temperature follow the same rules.
"""

from threading import Lock
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from stages.cross_validate.trainings import Training
from stages.networks import heads
from stages.results.history import History, add, best_epoch, count_epochs
from stages.results.scores import losses
from stages.training.batches import Batches
from stages.training.calibration import TINY, fit_temperature
from stages.training.optimizers import Moment, learning_rate, make_optimizer, variables_of
from stages.training.phases import is_over, plan
from stages.training.recipe import class_weights

Floats = npt.NDArray[np.float32]
Columns = list[npt.NDArray[Any]]
SEEDING = Lock()  # The seed of new weights belongs to the whole process.


class HeadTrainer:
    """A head that is trained many times on rows of the same activations, a tensor `(n, …)`.

    Several can work side by side in threads of their own. As threads do not hear of Ctrl-C, a training ends after its
    epoch if `is_stopped` is set.
    """

    def __init__(self, activations: Any, n_classes: int, settings: Any) -> None:
        import tensorflow as tf  # Keras has no loop over steps inside of one call.

        self.activations, self.n_classes, self.settings = activations, n_classes, settings
        self.is_stopped = False
        self.model = self.build()
        self.model.compile(
            optimizer=make_optimizer(settings, settings.learning_rate),
            loss=keras.losses.CategoricalCrossentropy(),
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.at_first = [keras.ops.convert_to_numpy(each.value) for each in variables_of(self.model.optimizer)]

        def step(rows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, rate: tf.Tensor) -> None:
            self.model.optimizer.learning_rate.assign(rate)
            self.model.train_step((tf.gather(activations, rows), labels, weights))

        def run_epoch(full: list[tf.Tensor], rest: list[tf.Tensor]) -> None:
            for number in tf.range(tf.shape(full[0])[0]):
                step(*(each[number] for each in full))
            step(*(each[0] for each in rest))

        def predict(rows: tf.Tensor) -> tf.Tensor:
            return self.model(tf.gather(activations, rows), training=False)

        self.run_epoch = tf.function(run_epoch, reduce_retracing=True)
        self.predict = tf.function(predict, reduce_retracing=True)

    def build(self) -> keras.Model:
        """Return a head with new weights."""
        return heads.build(tuple(self.activations.shape[1:]), self.n_classes, self.settings)

    def train(self, training: Training) -> Floats:
        """Return the probabilities `(n, n_classes)` of the training's test rows.

        Raises:
            ValueError: The loss is no longer finite.
            InterruptedError: The training was stopped.
        """
        self.start_anew(training.seed)
        train, val, test = (training.splits[name] for name in ("train", "val", "test"))
        settings, (phase,) = self.settings, plan(self.settings)
        weights = class_weights(train, self.n_classes, settings)
        batches = Batches(
            np.empty(0), train, settings.batch_size, training.seed, weights, label_smoothing=settings.label_smoothing
        )
        history: History = {}
        while not is_over(history, phase, 0, settings):
            if self.is_stopped:
                raise InterruptedError(f"training {training.name}: stopped.")
            batches.epoch += 1
            self.model.reset_metrics()
            self.run_epoch(*self.arrange(batches, history))
            loss, said = float(self.model.get_metrics_result()["loss"]), self.say(val.rows)
            numbers = {"val_loss": losses(val.labels, said).mean(), "val_accuracy": hits(val.labels, said)}
            if not np.isfinite([loss, numbers["val_loss"]]).all():
                raise ValueError(
                    f"cross_validate: expected a learning_rate with which the loss stays finite, got a loss of {loss} "
                    f"in epoch {batches.epoch} of training {training.name}."
                )
            history = add(history, {"loss": loss, **numbers})
            if best_epoch(history, settings.monitor) == count_epochs(history):
                best = self.model.get_weights()
        self.model.set_weights(best)
        temperature = fit_temperature(val.labels, self.say(val.rows))
        scores = np.log(np.maximum(self.say(test.rows).astype(np.float64), TINY))
        probabilities: Floats = softmax(scores / temperature, axis=1).astype(np.float32)
        return probabilities

    def start_anew(self, seed: int) -> None:
        """Give the model and its optimizer the state that a new model with this seed has."""
        with SEEDING:
            keras.utils.set_random_seed(seed)
            fresh = self.build()
        for variable, value in zip(self.model.variables, fresh.variables, strict=True):
            variable.assign(value)
        for variable, value in zip(variables_of(self.model.optimizer), self.at_first, strict=True):
            variable.assign(value)

    def arrange(self, batches: Batches, history: History) -> tuple[Columns, Columns]:
        """Return rows, labels, weights and rate of all steps but the last, which may be smaller, and of the last."""
        order, steps, size = batches.order(), len(batches), batches.batch_size
        labels = np.eye(self.n_classes, dtype=np.float32)[batches.rows.labels[order]]
        weights = (labels @ batches.class_weights).astype(np.float32)
        rows = batches.rows.rows[order].astype(np.int32)
        (phase,) = plan(self.settings)
        moments = [
            Moment(count_epochs(history) * steps + step, steps, phase.epochs, history.get("val_loss", []))
            for step in range(steps)
        ]
        rates = np.array([learning_rate(self.settings, phase.learning_rate, now) for now in moments], np.float32)
        columns = [rows, batches.smooth(labels), weights]
        whole = (steps - 1) * size
        full = [each[:whole].reshape(steps - 1, size, *each.shape[1:]) for each in columns]
        return [*full, rates[:-1]], [*(each[None, whole:] for each in columns), rates[-1:]]

    def say(self, rows: npt.NDArray[np.int64]) -> Floats:
        """Return the probabilities `(n, n_classes)` of rows, before the temperature."""
        said: Floats = keras.ops.convert_to_numpy(self.predict(rows.astype(np.int32)))
        return said


def hits(labels: npt.NDArray[np.int64], probabilities: Floats) -> float:
    """Return the share of rows whose most probable class is the true one."""
    return float((probabilities.argmax(axis=1) == labels).mean())
