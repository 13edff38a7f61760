"""The step `compare`: the networks side by side, the choice of the champion, and tests of their differences.

It may import the shared room `results`, and `core`.
"""
