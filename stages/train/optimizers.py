"""The optimizers of the documents."""

import keras

from stages.train.hyperparams import Hyperparams


def make_optimizer(settings: Hyperparams, learning_rate: float) -> keras.optimizers.Optimizer:
    """Adam (cars_tanks, film_genres), Nadam (anime_characters) or SGD with momentum, with Keras's other defaults.

    With `clip_norm` all gradients together are scaled down to that norm (Pascanu et al. 2012,
    https://arxiv.org/abs/1211.5063).
    """
    common = {"learning_rate": learning_rate, "global_clipnorm": settings.clip_norm}
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=settings.momentum, **common)
    return {"adam": keras.optimizers.Adam, "nadam": keras.optimizers.Nadam}[settings.optimizer](**common)
