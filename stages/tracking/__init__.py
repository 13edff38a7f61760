"""The runs of a study or search as DVC experiments: how they are made, found, read, and protected from a kill.

It imports `core` and no step; the steps `study`, `search` and `experiments` import it.
"""
