"""The project's client with settings for tests: it may ask loopback, and waits long before it gives up."""

from stages.web.client import Client, Fetch

SETTINGS = Fetch(
    threads=1, per_host=2, per_second=1000, timeout_s=10, deadline_s=20, retries=3, max_wait_s=2, max_megabytes=10,
    allow_private=True, user_agent="dvc-image-classification-tests/1 (loopback)",
)  # fmt: skip


def make_client():
    return Client(SETTINGS)
