"""Shared room: image files read, checked, hashed, measured and drawn on contact sheets; faces; a person's decisions.

It may import from `core` and `web` only.
"""
