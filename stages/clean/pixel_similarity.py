"""How alike two images are pixel by pixel, apart from small shifts, turns and changes of light."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from stages.images.thumbnails import COLOUR_SIDE, Thumbnail

Floats = npt.NDArray[np.float64]

# ITU-R BT.601, as in JPEG: luma, and the differences of blue and red from it, scaled to the same range.
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
NOISE = 2.0  # grey levels; images that vary by no more than this are not like any other
COLOURLESS = 5.0  # root mean square of the colour differences below which an image counts as grey
HOPELESS = 0.3  # correlation before aligning, below which it is not tried; crops of 5 % are above 0.45
MAX_STRETCH, MAX_SHIFT = 0.12, 0.06 * COLOUR_SIDE  # of an alignment that still counts as the same image
STEPS, CONVERGED, BORDER = 20, 1e-3, 3
Y, X = np.mgrid[:COLOUR_SIDE, :COLOUR_SIDE] - (COLOUR_SIDE - 1) / 2
GRID = np.stack([X.ravel(), Y.ravel(), np.ones(X.size)])  # (3, pixels), the middle at 0


def similarity(one: Thumbnail, other: Thumbnail, enough: float) -> float:
    """Return how alike two RGB images `(64, 64, 3)` are, from 0 to 1, to three decimals.

    It is the lower of two numbers: the correlation of the luma and, if both images have colour, the cosine of their
    colours brought from [-1, 1] to [0, 1]. So a grey copy is like its original, and a red copy of a green thing is not.
    If the result is lower than `enough`, the images are aligned by an affine change no larger than a crop, stretch or
    turn of a few per cent.
    """
    fixed, moving = to_ycc(one), to_ycc(other)
    inside = np.ones(fixed.shape[1:], dtype=bool)
    as_they_lie = agreement(fixed, moving, inside)
    if as_they_lie >= enough or correlation(fixed[0], moving[0]) < HOPELESS:
        return as_they_lie
    matrix = align(fixed[0], moving[0])
    if not is_small(matrix):
        return as_they_lie
    aligned, inside = warp(moving, matrix)
    return max(as_they_lie, agreement(fixed, aligned, inside))


def to_ycc(thumbnail: Thumbnail) -> Floats:
    """Return luma and colour differences `(3, 64, 64)` of an RGB image; the differences are 0 where it is grey."""
    return np.ascontiguousarray(np.moveaxis(thumbnail.astype(np.float64) @ TO_YCC.T, 2, 0))


def agreement(one: Floats, other: Floats, inside: npt.NDArray[np.bool_]) -> float:
    """Return the similarity of two images `(3, 64, 64)` without aligning them, over the pixels in `inside`."""
    one, other = one[:, inside], other[:, inside]
    colour = (1 + cosine(one[1:], other[1:])) / 2
    return round(max(0.0, min(correlation(one[0], other[0]), colour)), 3)


def correlation(one: Floats, other: Floats) -> float:
    """Return Pearson's correlation, lowered if there is hardly anything to correlate."""
    one, other = one - one.mean(), other - other.mean()
    noise = NOISE**2 * one.size
    return float((one * other).sum() / np.sqrt(((one * one).sum() + noise) * ((other * other).sum() + noise)))


def cosine(one: Floats, other: Floats) -> float:
    """Return the cosine between the colours of two images, 1 if one of them has no colour."""
    lengths = np.sqrt((one * one).sum()), np.sqrt((other * other).sum())
    if min(lengths) < COLOURLESS * np.sqrt(one[0].size):
        return 1.0
    return float((one * other).sum() / (lengths[0] * lengths[1]))


def align(fixed: Floats, moving: Floats) -> Floats:
    """Return the affine map `(3, 3)` from places in one image to places in the other that makes them most alike.

    Lucas and Kanade's method in its inverse compositional form, Baker and Matthews 2004,
    https://doi.org/10.1023/B:VISI.0000011205.11775.fd; before each step the moving image is brought to the mean and
    deviation of the fixed one. The numbers are doubles, so that machines agree on the third decimal of the result.
    """
    fixed, moving = ndimage.gaussian_filter(fixed, 1), ndimage.gaussian_filter(moving, 1)
    down, right = (slope.ravel() for slope in np.gradient(fixed))
    slopes = np.concatenate([right * GRID, down * GRID])  # (6, pixels)
    is_inner = (np.maximum(abs(GRID[0]), abs(GRID[1])) < COLOUR_SIDE / 2 - BORDER).astype(np.float64)
    slopes *= is_inner
    steps = np.linalg.solve(slopes @ slopes.T + np.eye(6), slopes)
    target = fixed.ravel()
    matrix = np.eye(3)
    for _ in range(STEPS):
        sampled = sample(moving, matrix).ravel()
        sampled = (sampled - sampled.mean()) * (target.std() / max(sampled.std(), NOISE)) + target.mean()
        step = np.vstack([(steps @ (sampled - target)).reshape(2, 3), np.zeros(3)])
        matrix = matrix @ np.linalg.inv(np.eye(3) + step)
        if not is_small(matrix) or abs(step).max() < CONVERGED:
            break
    return matrix


def is_small(matrix: Floats) -> bool:
    """Return whether an affine map stretches, turns and shifts no more than a copy of an image does."""
    change = abs(matrix - np.eye(3))
    return bool(change[:2, :2].max() <= MAX_STRETCH and change[:2, 2].max() <= MAX_SHIFT)


def sample(image: Floats, matrix: Floats) -> Floats:
    """Return the image `(64, 64)` at the mapped places, interpolated linearly; outside, it has the border's value."""
    x, y = (matrix @ GRID)[:2] + (COLOUR_SIDE - 1) / 2
    sampled: Floats = ndimage.map_coordinates(image, [y, x], order=1, mode="nearest")
    return sampled.reshape(image.shape)


def warp(image: Floats, matrix: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return all channels of the image at the mapped places, and which of these places lie inside it."""
    places = (matrix @ GRID)[:2] + (COLOUR_SIDE - 1) / 2
    inside = ((places >= 0) & (places <= COLOUR_SIDE - 1)).all(axis=0).reshape(image.shape[1:])
    return np.stack([sample(channel, matrix) for channel in image]), inside
