import io

import pytest
from PIL import Image

from stages.core.tables import read_table
from tests.review.study import Api


@pytest.mark.parametrize(("size", "side"), [("small", 320), ("large", 320)])
def test_an_image_is_a_square_jpeg(api, size, side):
    reply = api.get(f"/{size}/cat1")
    assert reply.mimetype == "image/jpeg"
    image = Image.open(io.BytesIO(reply.data))
    assert (image.format, image.size) == ("JPEG", (side, side))
    assert image.getpixel((side // 2, 2)) == (255, 255, 255)  # 64 x 48 leaves white above


@pytest.mark.parametrize(("width", "side"), [(319, 320), (321, 321), (1280, 1280), (1281, 1280)])
def test_the_large_view_has_the_images_own_size_within_limits(paths, draw, width, side):
    draw(1, (width, 40)).save(paths.raw / "cat" / "cat1.png")
    images = read_table(paths.raw / "images.csv")
    images.loc[images["image_id"] == "cat1", "width"] = str(width)
    images.to_csv(paths.raw / "images.csv", index=False)
    assert Image.open(io.BytesIO(Api(paths).get("/large/cat1").data)).size == (side, side)


def test_images_without_a_known_size_are_shown_too(paths):
    images = read_table(paths.raw / "images.csv").drop(columns=["width", "title"])
    images.assign(height="").to_csv(paths.raw / "images.csv", index=False)
    api = Api(paths)
    assert api.page()["tiles"][0]["title"] == ""
    assert api.get("/large/cat1").status_code == 200


def test_an_image_is_decoded_once(api, paths):
    first = api.get("/small/cat2").data
    (paths.raw / "cat" / "cat2.png").unlink()
    assert api.get("/small/cat2").data == first


@pytest.mark.parametrize("size", ["small", "large"])
def test_what_is_no_image_says_why(api, paths, size):
    reply = api.get(f"/{size}/dog3")
    assert (reply.status_code, reply.mimetype) == (422, "text/plain")
    assert reply.text.startswith("unreadable: cannot identify image file")
    (paths.raw / "dog" / "dog3.png").unlink()
    gone = api.get(f"/{size}/dog3")
    assert (gone.status_code, "No such file" in gone.text) == (422, True)


def test_an_unknown_image_is_named(api):
    reply = api.get("/small/bird")
    assert (reply.status_code, reply.json["error"]) == (404, "image_id: expected an image of the data, got 'bird'.")
