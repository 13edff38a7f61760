"""The params of listings: which live sources are asked for each class, and how."""

from typing import Any

from stages.core.params import Section
from stages.web.client import Fetch


class Listings(Section, extra="ignore"):
    """Those keys of the section `collect` of params.yaml that a listing needs."""

    listings: dict[str, list[dict[str, Any]]]
    fetch: Fetch
