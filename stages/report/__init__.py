"""The step `report`: one HTML page about all results, and the model card of the champion as Markdown.

It may import the shared rooms `results` and `images`, and `core`.
"""
