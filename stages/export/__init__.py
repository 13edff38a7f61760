"""The step `export`: a trained model as one file for ONNX Runtime or LiteRT, checked on the test images.

May import: core, web, images, transforms, networks, results, sources, backbones, classifier, downloads, models, pages,
tracking.
"""
