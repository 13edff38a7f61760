"""The step `explain`: the mistakes of one trained model, and figures that show why it predicts what it predicts.

It may import the shared rooms `images`, `networks` and `results`, and `core`.
"""
