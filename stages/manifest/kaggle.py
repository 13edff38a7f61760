"""Kaggle: one version of a data set, as the archive that it is. https://www.kaggle.com/docs/api

An archive is no listing, so this is no live source: it is downloaded into the cache folder, and `collect.source` names
the file, as that of any other archive.
"""

import base64
import os
import re
import zipfile
from pathlib import Path
from typing import IO

from stages.core.cache import cache_folder
from stages.core.files import replacing
from stages.sources.json_answers import secret
from stages.web.client import Fetch, Fetcher, FetchError, Task

ADDRESS = "https://www.kaggle.com"
CREDENTIALS = ("KAGGLE_USERNAME", "KAGGLE_KEY")
DEADLINE_S = 6 * 3600  # a data set is no page, but its connection must not stay for ever


def download(handle: str, settings: Fetch, address: str = ADDRESS) -> Path:
    """Where the archive of `owner/name/versions/3` lies; one that an earlier call downloaded is not asked for again.

    A data set changes from version to version, so that one has to be named. Of the settings the deadline does not
    count; `max_megabytes` is the largest archive that is taken.

    Raises:
        ValueError: the handle is none, KAGGLE_USERNAME or KAGGLE_KEY is missing in the environment, Kaggle does not
            answer, or not with a zip archive.
    """
    parts = re.fullmatch(r"([\w-]+/[\w-]+)/versions/(\d+)", handle, re.ASCII)
    if not parts:
        raise ValueError(f"kaggle: expected a data set as owner/name/versions/3, got {handle!r}.")
    dataset, version = parts.groups()
    target = cache_folder("kaggle") / f"{dataset.replace('/', '--')}--{version}.zip"
    if not target.is_file():
        url = f"{address}/api/v1/datasets/download/{dataset}?datasetVersionNumber={version}"
        headers = _credentials()
        with replacing(target) as unfinished:
            with unfinished.open("wb") as stream:
                _fetch(url, headers, stream, settings.model_copy(update={"deadline_s": DEADLINE_S}))
            if not zipfile.is_zipfile(unfinished):
                raise ValueError(f"{address} {dataset}: expected a whole zip archive, got something else.")
    return target


def _credentials() -> dict[str, str]:
    for name in CREDENTIALS:
        if not secret(name):
            raise ValueError(f"environment {name}: expected that of an API token of kaggle.com/settings, got none.")
    account = ":".join(os.environ[name] for name in CREDENTIALS)
    return {"Authorization": "Basic " + base64.b64encode(account.encode()).decode()}


def _fetch(url: str, headers: dict[str, str], stream: IO[bytes], settings: Fetch) -> None:
    """The stream has what the address, or where it redirects to, gives; only the address itself gets the headers.

    Raises:
        FetchError: that is nothing.
    """
    outcome: list[Exception | None] = []

    def receive(task: Task) -> str:
        stream.seek(0)
        stream.truncate()
        return fetcher.send(task, stream, settings.max_megabytes * 1_000_000)

    fetcher = Fetcher(settings)
    fetcher.add(url, headers)
    fetcher.work(receive, lambda _, error: outcome.append(error))
    if isinstance(outcome[0], FetchError) and outcome[0].detail in ("HTTP 401", "HTTP 403"):
        names = " and ".join(CREDENTIALS)
        raise ValueError(f"environment {names}: expected what opens this data set, got {outcome[0].detail}.")
    if outcome[0] is not None:
        raise outcome[0]
