"""The step `study`: the experiments of a document, planned from a file of studies/, and verdicts on its findings.

It imports `tracking`, `results`, `models` for their names, and `core`, and no other step.
"""
