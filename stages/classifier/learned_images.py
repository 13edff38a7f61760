"""The images that a model learned from, and whether a new image is one of them or almost the same."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.core.tables import read_table
from stages.images.opening import UnusableImage, open_image
from stages.images.thumbnails import look_at, read_small

LEARNED = "learned_from.csv"  # in the folder of a model: image_id, class and phash of each training image
MOST_BITS = 6  # of 64. Of the drawings that were not in training, 2 of 293 are so near to one that was.


@dataclass(frozen=True)
class LearnedImages:
    """The images that a model learned from: their `image_ids`, `classes`, and perceptual hashes, uint64 `(n,)`."""

    image_ids: list[str]
    classes: list[str]
    hashes: npt.NDArray[np.uint64]

    def recognise(self, content: bytes) -> str:
        """Return in words which of these images a file shows again, or an empty text if it shows none.

        It is one of them if it has the same bytes, and almost the same if their perceptual hashes differ in at most
        MOST_BITS bits: scaled, compressed or slightly changed, and now and then another image that looks much like it.
        A file that cannot be decoded shows none.
        """
        image_id = hashlib.sha256(content).hexdigest()
        if image_id in self.image_ids:
            return f"it learned from this file, as {self.classes[self.image_ids.index(image_id)]}"
        try:
            with open_image(io.BytesIO(content)) as image:
                thumbnail = look_at(read_small(image)).thumbnail
        except UnusableImage:
            return ""
        own = np.uint64(int(str(imagehash.phash(Image.fromarray(thumbnail))), 16))
        distances = np.bitwise_count(self.hashes ^ own)
        if not len(distances) or distances.min() > MOST_BITS:
            return ""
        return f"it learned from almost the same image, as {self.classes[int(distances.argmin())]}"


def read_learned(folder: Path) -> LearnedImages | None:
    """Read which images the model in the folder learned from, or return None if that did not come with it.

    Raises:
        ValueError: The table is damaged.
    """
    path = folder / LEARNED
    if not path.is_file():
        return None
    table = read_table(path)
    try:
        hashes = np.array([int(digits, 16) for digits in table["phash"]], dtype=np.uint64)
        return LearnedImages(list(table["image_id"]), list(table["class"]), hashes)
    except (KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: expected the columns image_id, class and phash, got a damaged table.") from error
