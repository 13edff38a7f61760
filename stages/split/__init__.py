"""The step `split`: it deals the images into train, val and test, with each group on one side, and looks for leaks.

It may import from every shared room; it uses `core` and `images`.
"""
