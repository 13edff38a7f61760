"""The share of an image's area whose brightness or colour another image does not have under one change of tone."""

import cv2
import numpy as np
import numpy.typing as npt

from stages.clean.alignment import Matrix, inside_of, warp
from stages.clean.prepared import Floats, Prepared
from stages.images.thumbnails import COLOUR_SIDE

Levels = npt.NDArray[np.uint8]

BINS = 64  # of grey levels, in each of which one image should have one grey level of the other
CHANGED_TONE, CHANGED_COLOUR = 0.4, 25.0  # standard deviations of the luma; levels of colour
GREY_TONE = 0.2  # the same of a copy without colour, whose luma is that of the original, not just any tones
MOST_SATURATION = 2.5  # times as much colour as in the other image; of a copy of 1.5 times the contrast 1.5
COLOURLESS = 5.0  # root mean square of the colours of an image that counts as grey
PATCH = (5, 5)  # pixels of 48 over which a change is averaged, so that edges moved by resampling are none


def measure_change(one: Prepared, other: Prepared, matrix: Matrix | None) -> float:
    """Return the share of the area in which brightness or colour differ by more than one change of tone explains."""
    inside = inside_of(COLOUR_SIDE, matrix) > 0
    # To take all pixels by a mask would copy them one by one.
    places = slice(None) if matrix is None else np.flatnonzero(inside)
    mine, its = (levels.reshape(-1)[places] for levels in (one.small, warp(other.small, matrix)))
    my_colours, its_colours = (c.reshape(-1, 2)[places] for c in (one.colours, warp(other.colours, matrix)))
    if is_grey(my_colours) != is_grey(its_colours):
        is_changed = spread(abs(standardised(mine) - standardised(its)), places) > GREY_TONE
    else:
        tone = np.maximum(misfit(mine, its), misfit(its, mine))
        colour = np.maximum(miscolour(my_colours, its_colours), miscolour(its_colours, my_colours))
        is_changed = (spread(tone, places) > CHANGED_TONE) | (spread(colour, places) > CHANGED_COLOUR)
    return round(float((is_changed & inside).sum()) / max(1, len(mine)), 3)


def is_grey(colours: Floats) -> bool:
    """Return whether colours `(n, 2)` are next to none."""
    return bool((colours * colours).sum(dtype=np.float64) < COLOURLESS**2 * len(colours))


def standardised(levels: Levels) -> Floats:
    """Return levels with mean 0 and standard deviation 1."""
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(levels))
    return (levels.astype(np.float32) - np.float32(mean)) / np.float32(deviation + 1)


def misfit(levels: Levels, given: Levels) -> Floats:
    """Return how far each level is from the mean level at pixels that are alike in the other image, in deviations.

    It is the residual of the correlation ratio, Roche et al. 1998, https://doi.org/10.1007/BFb0056301: 0 for any change
    of tone, such as contrast or a clipped brightness.
    """
    bins, values = given // (256 // BINS), standardised(levels)
    means = np.bincount(bins, values, BINS) / np.bincount(bins, minlength=BINS).clip(1)
    return abs(values - means.astype(np.float32)[bins])


def miscolour(colours: Floats, given: Floats) -> Floats:
    """Return how far each colour is from the other image's, in levels, after one change of saturation."""
    product, square = (float((one * given).sum(dtype=np.float64)) for one in (colours, given))
    gain = np.float32(min(max(0.0, product / max(1.0, square)), MOST_SATURATION))
    rest = colours - gain * given
    lengths: Floats = np.sqrt(np.einsum("nc,nc->n", rest, rest))
    return lengths


def spread(values: Floats, places: slice | npt.NDArray[np.int64]) -> Floats:
    """Return values at some places of an image `(48, 48)`, averaged over patches, with 0 elsewhere."""
    levels = np.zeros(COLOUR_SIDE**2, dtype=np.float32)
    levels[places] = values
    averaged: Floats = cv2.boxFilter(levels.reshape(COLOUR_SIDE, COLOUR_SIDE), -1, PATCH)
    return averaged
