"""The optimizers that the documents used."""

import keras

from stages.train.hyperparams import Hyperparams


def make_optimizer(settings: Hyperparams, learning_rate: float) -> keras.optimizers.Optimizer:
    """Return Adam (cars_tanks, film_genres), Nadam (anime_characters) or SGD, with Keras's defaults for other settings.

    If `clip_norm` is set, the gradients are scaled so that the norm of all of them together is at most `clip_norm`
    (Pascanu et al. 2012, https://arxiv.org/abs/1211.5063).
    """
    common = {"learning_rate": learning_rate, "global_clipnorm": settings.clip_norm}
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=settings.momentum, **common)
    return {"adam": keras.optimizers.Adam, "nadam": keras.optimizers.Nadam}[settings.optimizer](**common)
