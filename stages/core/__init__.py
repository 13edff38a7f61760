"""Files, tables, params.yaml, locks, the cache and the terminal: what every step needs.

`core` is the lowest layer: it imports no other room of `stages`.
"""
