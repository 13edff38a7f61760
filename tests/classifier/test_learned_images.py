"""Whether a new image is known to be one that the model learned from."""

import hashlib
import io

import imagehash
import pandas as pd
import pytest
from PIL import Image

from stages.classifier.learned_images import LEARNED, MOST_BITS, read_learned
from stages.images.opening import open_image
from stages.images.perceptual_hash import phash
from stages.images.thumbnails import look_at, read_small


def encode(image, format_="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


@pytest.fixture
def learned(tmp_path, draw):
    """Write which 20 images a model learned from, hashed as `clean` does it, and return them with the images."""
    rows, contents = [], []
    for number in range(20):
        contents.append(encode(draw(number, (300, 200)), "JPEG", quality=95))
        with open_image(io.BytesIO(contents[-1])) as image:
            (bits,) = phash(look_at(read_small(image)).thumbnail[None])
        name = "cat" if number % 2 else "dog"
        rows.append({"image_id": hashlib.sha256(contents[-1]).hexdigest(), "class": name, "phash": f"{bits:016x}"})
    pd.DataFrame(rows).to_csv(tmp_path / LEARNED, index=False)
    return read_learned(tmp_path), contents


def test_the_very_file_is_known_again(learned):
    known, contents = learned
    for number, content in enumerate(contents):
        assert known.recognise(content) == f"it learned from this file, as {'cat' if number % 2 else 'dog'}"


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encode(image.resize((150, 100)), "JPEG", quality=60),
        lambda image: encode(image, "PNG"),
        lambda image: encode(image.point(lambda value: min(255, value + 20)), "WEBP"),
    ],
    ids=["smaller", "another format", "lighter"],
)
def test_a_changed_copy_is_known_again(learned, draw, change):
    known, _ = learned
    for number in range(20):
        said = known.recognise(change(draw(number, (300, 200))))
        assert said == f"it learned from almost the same image, as {'cat' if number % 2 else 'dog'}"


@pytest.mark.slow
def test_other_images_are_not_known(learned, draw):
    known, _ = learned
    assert {known.recognise(encode(draw(number, (300, 200)))) for number in range(100, 140)} == {""}


def test_the_limit_is_in_bits(learned, draw):
    known, _ = learned
    own = int(str(imagehash.phash(draw(300, (300, 200)))), 16)
    for bits in (MOST_BITS, MOST_BITS + 1):
        known.hashes[:] = own ^ ((1 << bits) - 1)
        assert bool(known.recognise(encode(draw(300, (300, 200))))) == (bits == MOST_BITS)


def test_an_image_lying_on_its_side_is_turned_first(learned, draw):
    known, _ = learned
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = draw(3, (300, 200)).transpose(Image.Transpose.ROTATE_90)
    assert (
        known.recognise(encode(lying, "JPEG", quality=95, exif=exif)) == "it learned from almost the same image, as cat"
    )


def test_what_cannot_be_decoded_is_not_known(learned):
    assert learned[0].recognise(b"no image") == ""


def test_a_model_may_come_without(tmp_path):
    assert read_learned(tmp_path) is None


@pytest.mark.parametrize(
    "content", ["image_id,class\na,b\n", "image_id,class,phash\na,b,xyz\n", "image_id,class,phash\na,b,-1\n"]
)
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / LEARNED).write_text(content)
    with pytest.raises(
        ValueError, match=r"learned_from\.csv: expected the columns image_id, class and phash, got a damaged"
    ):
        read_learned(tmp_path)


def test_of_no_images_none_is_known(tmp_path, draw):
    (tmp_path / LEARNED).write_text("image_id,class,phash\n")
    assert read_learned(tmp_path).recognise(encode(draw(0))) == ""
