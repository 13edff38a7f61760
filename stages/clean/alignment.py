"""The small affine change that lays one image on another: a crop, stretch or turn of a few per cent."""

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Pixel = TypeVar("Pixel", np.uint8, np.float32)
Matrix = npt.NDArray[np.float32]

BLUR, STEPS, CONVERGED = 3, 20, 1e-3
MAX_STRETCH, MAX_SHIFT = 0.12, 0.08  # of the side, of an alignment that still counts as the same image
LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def align(fixed: npt.NDArray[np.uint8], moving: npt.NDArray[np.uint8]) -> Matrix | None:
    """Return the affine map `(2, 3)` from places in one square image to places in the other; None if it is not small.

    It maximises the enhanced correlation coefficient, Evangelidis and Psarakis 2008,
    https://doi.org/10.1109/TPAMI.2008.113, which ignores brightness and contrast.
    """
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, CONVERGED)
    matrix: Matrix = np.eye(2, 3, dtype=np.float32)
    try:
        cv2.findTransformECC(fixed, moving, matrix, cv2.MOTION_AFFINE, criteria, None, BLUR)
    except cv2.error:  # The images have nothing in common.
        return None
    change = abs(matrix - np.eye(2, 3))
    if change[:, :2].max() > MAX_STRETCH or change[:, 2].max() > MAX_SHIFT * len(fixed):
        return None
    return matrix


def scaled(matrix: Matrix, factor: float) -> Matrix:
    """Return the map between images that are `factor` times as large; a pixel's place is its middle."""
    larger = matrix.copy()
    larger[:, 2] = factor * matrix[:, 2] + (factor - 1) / 2 * (1 - matrix[:, :2].sum(axis=1))
    return larger


def warp(image: npt.NDArray[Pixel], matrix: Matrix | None) -> npt.NDArray[Pixel]:
    """Return a square image at the mapped places, interpolated linearly; outside, it has the border's value."""
    if matrix is None:
        return image
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[:2], flags=LINEAR, borderMode=cv2.BORDER_REPLICATE))


def inside_of(side: int, matrix: Matrix | None) -> npt.NDArray[np.float32]:
    """Return 1 where the mapped place lies well inside a square image, else 0."""
    whole = np.ones((side, side), dtype=np.float32)
    if matrix is None:
        return whole
    mapped = cv2.warpAffine(whole, matrix, (side, side), flags=LINEAR)
    return np.asarray(cv2.erode((mapped >= 1).astype(np.float32), np.ones((3, 3)), borderValue=1))
