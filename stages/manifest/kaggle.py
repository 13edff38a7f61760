"""Download one version of a Kaggle data set as an archive.

https://www.kaggle.com/docs/api

An archive is not a listing, so that Kaggle is not a live source. The archive lies in the cache folder, and
`collect.source` names it like any other archive.
"""

import re
import zipfile
from pathlib import Path
from typing import IO

from stages.core.files import cache_folder, replacing
from stages.web.client import Fetch, Fetcher, FetchError
from stages.web.secrets import encode_account, read_key, read_variable

ADDRESS = "https://www.kaggle.com"
CREDENTIALS = ("KAGGLE_USERNAME", "KAGGLE_KEY")
DEADLINE_S = 6 * 3600  # A data set takes long, but its connection must end at some time.


def download(handle: str, settings: Fetch, address: str = ADDRESS) -> Path:
    """Download the archive of `owner/name/versions/3`, unless an earlier call did, and return its path.

    A data set changes from version to version, so that the handle has to name the version. The settings' deadline does
    not apply; `max_megabytes` limits the size of the archive.

    Raises:
        ValueError: The handle does not name a version of a data set, KAGGLE_USERNAME or KAGGLE_KEY is missing in the
            environment, or Kaggle gives no whole zip archive.
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
    username, key = read_variable(CREDENTIALS[0]), read_key(CREDENTIALS[1])
    for name, value in zip(CREDENTIALS, (username, key), strict=True):
        if not value:
            raise ValueError(f"environment {name}: expected that of an API token of kaggle.com/settings, got none.")
    return {"Authorization": encode_account(username, key, CREDENTIALS[1])}


def _fetch(url: str, headers: dict[str, str], stream: IO[bytes], settings: Fetch) -> None:
    """Write the answer into the stream; only the address itself gets the headers, not a host that it redirects to.

    Raises:
        FetchError: The address gives no usable answer.
        ValueError: Kaggle does not accept the account.
    """
    try:
        Fetcher(settings).fetch(url, headers, stream, settings.max_megabytes * 1_000_000)
    except FetchError as error:
        if error.detail not in ("HTTP 401", "HTTP 403"):
            raise
        names = " and ".join(CREDENTIALS)
        raise ValueError(f"environment {names}: expected what opens this data set, got {error.detail}.") from None
