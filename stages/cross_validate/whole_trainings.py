"""Trainings of a network that is fed pixels, augmented activations, or activations that enter layers to train."""

from pathlib import Path
from types import ModuleType

import keras

from stages.cross_validate.trainings import Training
from stages.networks.determinism import fix
from stages.networks.inputs import Inputs
from stages.networks.predicting import Floats, predict
from stages.training.calibration import calibrate
from stages.training.devices import scope
from stages.training.hyperparams import Hyperparams
from stages.training.loop import fit
from stages.training.recipe import assemble, check_batches, feed
from stages.transforms.affine import Augmentation


class WholeTrainer:
    """A network that is trained as `train` does it, with checkpoints in the folder of the cross-validation."""

    def __init__(
        self, name: str, network: ModuleType, inputs: Inputs, source: Path, n_classes: int, settings: Hyperparams,
        amounts: Augmentation, folder: Path,
    ) -> None:  # fmt: skip
        self.name, self.network, self.inputs, self.source, self.n_classes = name, network, inputs, source, n_classes
        self.settings, self.amounts, self.folder = settings, amounts, folder

    def train(self, training: Training) -> Floats:
        """Return the probabilities `(n, n_classes)` of the training's test rows.

        Raises:
            ValueError: The loss is no longer finite, or a GPU would get no row of a batch.
        """
        settings = self.settings.model_copy(update={"seed": training.seed})
        check_batches(training.splits, settings)
        fix(settings.seed, settings.threads)
        keras.config.set_dtype_policy(settings.precision)
        checkpoints = self.folder / training.name
        with scope(settings.gpus):
            model, tail = assemble(self.network, self.inputs, self.n_classes, settings, self.source)
            data = feed(self.inputs, training.splits, settings, self.amounts, self.n_classes)
            fit(self.name, model, tail, data, settings, checkpoints, checkpoints / "live")
            calibrate(model, data.validation)
        return predict(model, self.inputs.array[training.splits["test"].rows], settings.batch_size)
