"""The step `search`: params with which a network does best on validation, suggested by Optuna, run as DVC experiments.

It imports `tracking`, `results`, `models` (their names only) and `core`, and no other step.
"""
