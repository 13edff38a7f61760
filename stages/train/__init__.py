"""The step `train`: trains one network, epoch after epoch, and keeps the model of its best epoch.

The room imports all shared rooms and no other step.
"""
