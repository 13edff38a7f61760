"""The training of a network: recipe, batches, epochs, checkpoints and the file of the model.

Shared by `train`, which trains a network once, and `cross_validate`, which trains it on many folds. The room imports
backbones, networks, results, transforms and core.
"""
