"""Perceptual hashes of images, and of their mirrored and rotated forms."""

import numpy as np
import numpy.typing as npt
import scipy.fft

Hashes = npt.NDArray[np.uint64]

SIDE, LOW = 32, 8  # of the thumbnail that is transformed, and of the block of lowest frequencies that is kept
BITS = LOW * LOW
AT_ONCE = 4096  # thumbnails, which take 16 times their memory while they are transformed
MIRROR = (-1.0) ** np.arange(LOW)  # a mirrored signal has the cosines of odd frequencies with the other sign


def phash(thumbnails: npt.NDArray[np.uint8]) -> Hashes:
    """Return for each grey thumbnail `(n, 32, 32)` the 64 bits that `imagehash.phash` gives.

    Each bit says whether one of the 8x8 lowest coefficients of the cosine transform (DCT-II, horizontal frequency last)
    is above their median. Source: https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
    """
    return signs(low_frequencies(thumbnails))


def phash_forms(thumbnails: npt.NDArray[np.uint8], mirrored: bool, rotated: bool) -> dict[str, Hashes]:
    """Return the hashes of each thumbnail's other forms, by the name of the form, from one transform.

    `mirror` swaps left and right; `90`, `180` and `270` are turned counter-clockwise; if both are asked for there are
    also `mirror 90` and so on, mirrored first. Apart from rounding in the resampling, they are the hashes of the images
    in these forms.
    """
    low = low_frequencies(thumbnails)
    flips = {"": low, "mirror": low * MIRROR} if mirrored else {"": low}
    turns = range(4) if rotated else range(1)
    forms = {
        f"{name} {90 * turn or ''}".strip(): signs(turn_left(block, turn))
        for name, block in flips.items()
        for turn in turns
    }
    return {name: hashes for name, hashes in forms.items() if name}


def low_frequencies(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the block `(n, 8, 8)` of lowest frequencies, the vertical axis first."""
    low = np.empty((len(thumbnails), LOW, LOW))
    for start in range(0, len(thumbnails), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        # The order of the axes and the type are imagehash's: its bits at a tie depend on them.
        columns = scipy.fft.dct(thumbnails[some].astype(np.float64), axis=1)[:, :LOW]
        low[some] = scipy.fft.dct(columns, axis=2)[:, :, :LOW]
    return low


def turn_left(low: npt.NDArray[np.float64], times: int) -> npt.NDArray[np.float64]:
    """Return the frequencies of the image turned counter-clockwise by 90 degrees, `times` times."""
    for _ in range(times):
        low = low.transpose(0, 2, 1) * MIRROR[:, None]
    return low


def signs(low: npt.NDArray[np.float64]) -> Hashes:
    """Return an integer for each block, whose bits say which numbers are above the median, the first bit highest."""
    flat = low.reshape(len(low), BITS)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
