"""The params of listings: the live sources to ask for each class, and the limits of fetching."""

from typing import Any

from stages.core.params import Section
from stages.web.client import Fetch


class Listings(Section, extra="ignore"):
    """The keys of the section `collect` of params.yaml that a listing needs."""

    listings: dict[str, list[dict[str, Any]]]
    fetch: Fetch
