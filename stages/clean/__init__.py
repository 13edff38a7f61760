"""The step `clean`: it finds unfit images, duplicates, near-duplicates and look-alikes in what was collected.

It may import from every shared room; it uses `core` and `images`.
"""
