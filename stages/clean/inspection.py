"""What each image is like by itself: a decision, damage, measures, and whether it is a placeholder."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.clean.settings import Clean
from stages.core.terminal import progress
from stages.images.decisions import Decision
from stages.images.perceptual_hash import phash
from stages.images.quality import Finding, inspect

FILES_AT_ONCE = 8  # that a thread decodes, and then looks at
COLOURS_KEPT = 50_000  # pictures, 12 KB each; others are read again where they have to be compared
Thumbnails = npt.NDArray[np.uint8]
Colours = dict[Path, npt.NDArray[np.uint8]]


def decide(images: pd.DataFrame, decisions: dict[str, Decision]) -> pd.DataFrame:
    """The rows with a person's `decision` (keep, reject or move; empty without one), in the class that it says."""
    decided = [decisions.get(image_id) for image_id in images["image_id"]]
    classes = [each.class_ if each else class_ for each, class_ in zip(decided, images["class"], strict=True)]
    return images.assign(**{"class": classes, "decision": [each.decision if each else "" for each in decided]})


def inspect_all(images: pd.DataFrame, source: Path, settings: Clean) -> tuple[pd.DataFrame, Thumbnails, Colours]:
    """The rows with `phash`, and `reason` and `detail` of what makes a picture unfit; and what they look like.

    That is their grey thumbnails, and the colours of files that need not be read again for them.
    """
    files = list(images["file"].unique())
    blocks = [files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE)]
    work = (joblib.delayed(inspect)([source / file for file in block], settings) for block in blocks)
    results = chain.from_iterable(joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work))
    found: dict[str, Finding] = {}
    colours: Colours = {}
    for file, finding in zip(files, progress(results, len(files), "clean"), strict=True):
        if finding.colours is not None and len(colours) < COLOURS_KEPT:
            colours[source / file] = finding.colours
        found[file] = replace(finding, colours=None)
    thumbnails = np.stack([found[file].thumbnail for file in images["file"]])
    images = images.assign(phash=[f"{bits:016x}" for bits in phash(thumbnails)])
    verdicts = [judge(found[file], decision) for file, decision in zip(images["file"], images["decision"], strict=True)]
    images[["reason", "detail"]] = pd.DataFrame(verdicts, index=images.index, dtype=str)
    is_placeholder = find_placeholders(images, settings)
    images.loc[is_placeholder, "reason"] = "placeholder"
    images.loc[is_placeholder, "detail"] = "perceptual hash " + images.loc[is_placeholder, "phash"]
    return images, thumbnails, colours


def judge(finding: Finding, decision: str) -> tuple[str, str]:
    """Reason and detail of a rejection, or two empty texts: damage first, then the decision, then the measures."""
    if finding.reason and not finding.can_be_kept:
        return finding.reason, finding.detail
    if decision == "reject":
        return "review", "a person's decision"
    return ("", "") if decision else (finding.reason, finding.detail)


def find_placeholders(images: pd.DataFrame, settings: Clean) -> pd.Series:
    """For each row whether it stands for a picture that was not to be had: a hash that is known, or repeated often."""
    is_open = (images["reason"] == "") & (images["decision"] == "")
    copies = images[is_open].groupby("phash")["phash"].transform("size").reindex(images.index, fill_value=0)
    return is_open & ((copies >= settings.placeholder_copies) | images["phash"].isin(settings.placeholder_hashes))
