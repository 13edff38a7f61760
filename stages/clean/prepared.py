"""An image made ready to be compared: its luma, its colours and its fine structure."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.clean.candidates import PLAIN, in_form
from stages.images.thumbnails import COLOUR_SIDE, View

Floats = npt.NDArray[np.float32]

FINE, COARSE = 0.7, 2.1  # pixels of 96: what lies between two Gaussian blurs is the fine structure
NOISE = 0.3  # grey levels of fine structure below which there is none
PATCH = (5, 5)  # pixels of 96 that have fine structure together


@dataclass(frozen=True)
class Prepared:
    """What is compared of an image: luma `(96, 96)` and `(48, 48)`, colours `(48, 48, 2)` around 0, fine structure."""

    luma: npt.NDArray[np.uint8]
    small: npt.NDArray[np.uint8]
    colours: Floats
    structure: Floats


def prepare(view: View, form: str = PLAIN) -> Prepared:
    """Return a view in a form that `phash_forms` names, ready to be compared."""
    luma, chroma = in_form(view.luma, form), in_form(view.chroma, form)
    small = cv2.resize(luma, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    return Prepared(luma, np.asarray(small), chroma.astype(np.float32) - 128, fine_structure(luma))


def fine_structure(luma: npt.NDArray[np.uint8]) -> Floats:
    """Return the luma between two blurs: edges and texture, without areas and light."""
    levels = luma.astype(np.float32)
    found: Floats = cv2.GaussianBlur(levels, (0, 0), FINE) - cv2.GaussianBlur(levels, (0, 0), COARSE)
    return found


def has_texture(structure: Floats) -> npt.NDArray[np.bool_]:
    """Return where there is fine structure."""
    found: npt.NDArray[np.bool_] = cv2.boxFilter(structure * structure, -1, PATCH) > NOISE**2
    return found


def measure_texture(view: View) -> float:
    """Return the share of the area with fine structure, to three decimals: of photographs next to all of it."""
    return round(float(has_texture(fine_structure(view.luma)).mean()), 3)
