"""The step `evaluate`: the predictions of one trained model, its scores and the tables behind its plots.

It may import the shared rooms `networks` and `results`, and `core`.
"""
