"""The training loop, in which a kill costs at most the work of one epoch."""

import sys
from pathlib import Path

import keras
from dvclive.live import Live

from stages.results.history import History, count_epochs
from stages.training.batches import Data, readable
from stages.training.checkpoints import Arrays, load_state, restore
from stages.training.hyperparams import Hyperparams
from stages.training.optimizers import make_optimizer
from stages.training.phases import Phase, is_pruned, plan, set_trainable
from stages.training.watch import Log, Watch


def fit(
    network: str, model: keras.Model, tail: keras.Model | None, data: Data, settings: Hyperparams, folder: Path,
    live: Path,
) -> History:  # fmt: skip
    """Train the model, set it to the weights of its best epoch by `monitor`, and return the history.

    The training writes checkpoints to `folder`, and goes on from a checkpoint that is there. During the training
    DVCLive writes the curves to the folder `live`.

    Raises:
        ValueError: The loss is no longer finite.
    """
    history: History = {}
    best: Arrays = []
    with Live(str(live), dvcyaml=None, report=None, save_dvc_exp=False) as curves:
        for phase in plan(settings):
            if tail is not None:
                set_trainable(tail, phase.trains_tail)
            history, best = fit_phase(model, data, phase, settings, Log(network, folder, curves, history, best))
            model.set_weights(best)
            if is_pruned(history, settings):
                break
    return history


def fit_phase(model: keras.Model, data: Data, phase: Phase, settings: Hyperparams, log: Log) -> tuple[History, Arrays]:
    """Train one phase, and return the history with its epochs and the weights of the best epoch so far."""
    model.compile(
        optimizer=make_optimizer(settings, phase.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    state = load_state(log.folder / f"phase-{phase.number}.npz")
    if state is not None:
        restore(state, model)
        print(f"training goes on after epoch {count_epochs(state.history)}, from {log.folder}")
    history = log.before if state is None else state.history
    watch = Watch(data, phase, settings, log, history, state.best if state else [])
    if state is None or not state.is_over:
        model.fit(
            readable(data.training),
            validation_data=readable(data.validation),
            initial_epoch=count_epochs(history),
            epochs=watch.first + phase.epochs,
            shuffle=False,  # `Batches` shuffles with its own seed
            callbacks=[watch],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    return watch.history, watch.best or log.best
