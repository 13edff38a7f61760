"""The facts about each image by itself: a decision, damage, measures, and whether it is a placeholder."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from stages.clean.candidates import Thumbnails
from stages.clean.prepared import measure_texture
from stages.clean.settings import Clean
from stages.core.terminal import progress
from stages.images.decisions import Decision
from stages.images.machines import spread
from stages.images.perceptual_hash import phash
from stages.images.quality import Inspection, inspect_files
from stages.images.thumbnails import View

FILES_AT_ONCE = 8  # files that a thread decodes before it assesses them
VIEWS_KEPT = 50_000  # of the first files, 14 KB each; the others are read again if they have to be compared
Views = dict[Path, View]


def apply_decisions(images: pd.DataFrame, decisions: dict[str, Decision]) -> pd.DataFrame:
    """Return the rows with a person's `decision` (keep, reject or move; empty without one) and the class it names."""
    decided = [decisions.get(image_id) for image_id in images["image_id"]]
    classes = [
        decision.class_ if decision else class_ for decision, class_ in zip(decided, images["class"], strict=True)
    ]
    return images.assign(
        **{"class": classes, "decision": [decision.decision if decision else "" for decision in decided]}
    )


def inspect_all(images: pd.DataFrame, source: Path, settings: Clean) -> tuple[pd.DataFrame, Thumbnails, Views]:
    """Return the rows with `phash`, `texture`, `reason` and `detail`, the grey thumbnails, and the views of some files.

    `texture` is the share of the area with fine structure, of photographs next to all of it; 0 of an unreadable image.
    `reason` and `detail` say why an image is unfit and are empty for a fit image. Files whose views are returned need
    not be read again to be compared.
    """
    files = list(images["file"].unique())
    starts = range(0, len(files), FILES_AT_ONCE)
    calls = [
        ([source / file for file in files[start : start + FILES_AT_ONCE]], settings, start < VIEWS_KEPT)
        for start in starts
    ]
    results = chain.from_iterable(spread(inspect_block, calls))
    found: dict[str, Inspection] = {}
    views: Views = {}
    textures: dict[str, float] = {}
    for file, (inspection, texture) in zip(files, progress(results, len(files), "clean"), strict=True):
        if inspection.view is not None:
            views[source / file] = inspection.view
        textures[file], found[file] = texture, replace(inspection, view=None)
    thumbnails = np.stack([found[file].thumbnail for file in images["file"]])
    images = images.assign(
        phash=[f"{bits:016x}" for bits in phash(thumbnails)], texture=[textures[file] for file in images["file"]]
    )
    verdicts = [
        reject_reason(found[file], decision) for file, decision in zip(images["file"], images["decision"], strict=True)
    ]
    images[["reason", "detail"]] = pd.DataFrame(verdicts, index=images.index, dtype=str)
    is_placeholder = find_placeholders(images, settings)
    images.loc[is_placeholder, "reason"] = "placeholder"
    images.loc[is_placeholder, "detail"] = "perceptual hash " + images.loc[is_placeholder, "phash"]
    return images, thumbnails, views


def inspect_block(paths: list[Path], settings: Clean, keeps_views: bool) -> list[tuple[Inspection, float]]:
    """Return the inspection of each file, with its view only if that is to be kept, and its texture."""
    return [
        (each if keeps_views else replace(each, view=None), measure_texture(each.view) if each.view else 0.0)
        for each in inspect_files(paths, settings)
    ]


def reject_reason(inspection: Inspection, decision: str) -> tuple[str, str]:
    """Return reason and detail of a rejection, or two empty texts: damage first, then the decision, then measures."""
    if inspection.reason and not inspection.can_be_kept:
        return inspection.reason, inspection.detail
    if decision == "reject":
        return "review", "a person's decision"
    return ("", "") if decision else (inspection.reason, inspection.detail)


def find_placeholders(images: pd.DataFrame, settings: Clean) -> pd.Series:
    """Return for each row whether it stands for an image that was not available: its hash is known or occurs often."""
    is_open = (images["reason"] == "") & (images["decision"] == "")
    copies = images[is_open].groupby("phash")["phash"].transform("size").reindex(images.index, fill_value=0)
    return is_open & ((copies >= settings.placeholder_copies) | images["phash"].isin(settings.placeholder_hashes))
