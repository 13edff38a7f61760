"""Everything that asks the web: addresses, connections, polite requests and their errors.

This room may import `core` only.
"""
