"""Scores of how alike two images are, by our rule, by perceptual hashes, by gradients and by keypoints."""

import io
from collections.abc import Callable
from functools import lru_cache

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from stages.clean.agreement import Agreement, compare
from stages.clean.candidates import PLAIN, screen
from stages.clean.duplicates import are_same
from stages.clean.prepared import fine_structure, prepare
from stages.clean.settings import Clean
from stages.core import params
from stages.images.perceptual_hash import phash, phash_forms
from stages.images.reading import to_rgb
from stages.images.thumbnails import Look, look_at, read_small

SIDE = 256  # pixels of the longer side, at which keypoints are found
RATIO = 0.75  # of the distances of the best and the second-best match, Lowe 2004
FAR = 4.0  # pixels by which a match may miss the affine map

Score = Callable[[bytes, bytes], float]


@lru_cache(maxsize=4096)
def look(content: bytes) -> Look:
    """Return the look of an image."""
    with Image.open(io.BytesIO(content)) as image:
        return look_at(read_small(image))


def nearest_form(one: bytes, other: bytes) -> tuple[int, str]:
    """Return the distance in bits of two images' hashes, the other one plain or mirrored, and the nearer form."""
    mine, its = look(one).thumbnail[None], look(other).thumbnail[None]
    forms = {PLAIN: phash(its), **phash_forms(its, True, False)}
    found = [(int(phash(mine)[0] ^ hashes[0]).bit_count(), form) for form, hashes in forms.items()]
    return min(found, key=lambda each: each[0])


def agree(one: bytes, other: bytes) -> Agreement:
    """Return how far two images agree, in the form in which their hashes are nearest."""
    return compare(prepare(look(one).view), prepare(look(other).view, nearest_form(one, other)[1]))


def same_by_our_rule(one: bytes, other: bytes, settings: Clean) -> bool:
    """Return whether `clean` takes two images for the same."""
    if not is_candidate(one, other, settings.max_distance):
        return False
    return bool(are_same(pd.DataFrame([agree(one, other)]), settings)[0])


def is_candidate(one: bytes, other: bytes, max_distance: int) -> bool:
    """Return whether `clean` compares two images: their hashes are near and their outlines agree."""
    distance, form = nearest_form(one, other)
    pair = pd.DataFrame({"first": [0], "second": [1], "distance": [distance], "form": [form]})
    return distance <= max_distance and bool(screen(pair, np.stack([look(one).thumbnail, look(other).thumbnail]))[0])


def likeness(one: bytes, other: bytes) -> float:
    """Return our likeness, 0 for images that `clean` does not compare."""
    near = params.read(Clean, "clean").max_distance
    return agree(one, other).likeness if is_candidate(one, other, near) else 0.0


def near_phash(one: bytes, other: bytes) -> float:
    """Return 64 minus the distance of imagehash's pHash."""
    return 64.0 - (imagehash.phash(rgb(one)) - imagehash.phash(rgb(other)))


def near_dhash(one: bytes, other: bytes) -> float:
    """Return 64 minus the distance of imagehash's dHash."""
    return 64.0 - (imagehash.dhash(rgb(one)) - imagehash.dhash(rgb(other)))


def gradients(one: bytes, other: bytes) -> float:
    """Return the correlation of the fine structure, not aligned."""
    mine, its = (fine_structure(look(content).view.luma) for content in (one, other))
    return float(np.corrcoef(mine.ravel(), its.ravel())[0, 1]) if mine.std() and its.std() else 0.0


def orb(one: bytes, other: bytes) -> float:
    """Return how many ORB keypoints agree on an affine map (RANSAC), of those of the image with fewer."""
    return share_of_inliers(cv2.ORB.create(500), cv2.NORM_HAMMING, one, other)


def sift(one: bytes, other: bytes) -> float:
    """Return the same of SIFT keypoints."""
    return share_of_inliers(cv2.SIFT.create(500), cv2.NORM_L2, one, other)


def share_of_inliers(detector: cv2.Feature2D, norm: int, one: bytes, other: bytes) -> float:
    """Return the share of keypoints that an affine map of one image to the other explains."""
    (points, found), (its_points, its_found) = (detector.detectAndCompute(grey(each), None) for each in (one, other))
    if found is None or its_found is None or min(len(found), len(its_found)) < 4:
        return 0.0
    matches = cv2.BFMatcher(norm).knnMatch(found, its_found, k=2)
    good = [best for best, second in matches if best.distance < RATIO * second.distance]
    if len(good) < 4:
        return 0.0
    source = np.array([points[match.queryIdx].pt for match in good], np.float32)
    target = np.array([its_points[match.trainIdx].pt for match in good], np.float32)
    _, inside = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=FAR)
    return float(inside.sum() / min(len(points), len(its_points))) if inside is not None else 0.0


def grey(content: bytes) -> npt.NDArray[np.uint8]:
    """Return an image without colour, at most 256 pixels wide and high."""
    image = rgb(content).convert("L")
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image)


def rgb(content: bytes) -> Image.Image:
    """Return an image in RGB, over white."""
    with Image.open(io.BytesIO(content)) as image:
        return to_rgb(image)


METHODS: dict[str, Score] = {
    "ours": likeness, "imagehash pHash": near_phash, "imagehash dHash": near_dhash,
    "fine structure, not aligned": gradients, "ORB and RANSAC": orb, "SIFT and RANSAC": sift,
}  # fmt: skip
