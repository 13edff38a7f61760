"""The step `cross_validate`: tests each image by networks that did not learn from it, in many trainings.

The room imports all shared rooms and no other step.
"""
