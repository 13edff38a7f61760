"""What a training and an evaluation came to: histories, scores and their intervals, figures and tables.

It may import `core` only.
"""
