"""The section `clean` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages.images.quality import Limits


class Clean(Limits):
    """The section `clean` of params.yaml."""

    max_distance: int = Field(ge=0, le=64)
    min_similarity: float = Field(ge=0, le=1)
    max_changed: float = Field(ge=0, le=1)
    min_likeness: float = Field(ge=0, le=1)
    mirrored: bool
    rotated: bool
    placeholder_copies: int = Field(ge=2)
    placeholder_hashes: list[str]
    on_duplicate: Literal["reject", "keep"]
    on_conflict: Literal["reject", "keep"]
