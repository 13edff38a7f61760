import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image, ImageOps

from stages.core import params
from stages.images.faces import CHOSEN, OTHER, Box, Face, find_faces, grow, open_detector, outline, rank, read_face
from stages.images.opening import UnusableImage
from stages.images.reading import ORIENTATION
from stages.preprocess import Preprocess

LANCZOS = Image.Resampling.LANCZOS
BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@pytest.fixture(scope="module")
def portrait():
    """Return a photograph of one frontal face, 512 pixels wide and 600 high."""
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        return image.convert("RGB")


def detector(**changes):
    usual = {
        "cascade": "haarcascade_frontalface_default", "sha256": None, "scale_factor": 1.1, "neighbours": 5,
        "min_side": 120, "margin": 0.0,
    }  # fmt: skip
    return open_detector(Face(**usual | changes))


def smaller(image, share):
    return image.resize((round(image.width * share), round(image.height * share)), LANCZOS)


def beside(*images):
    page = Image.new("RGB", (sum(image.width for image in images), max(image.height for image in images)), "white")
    left = 0
    for image in images:
        page.paste(image, (left, 0))
        left += image.width
    return page


def largest_difference(a, b):
    return np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max()


def test_finds_the_face_of_a_portrait(portrait):
    (face,) = find_faces(portrait, detector())
    eyes, mouth = (250, 200), (270, 290)
    for x, y in (eyes, mouth):
        assert face.left < x < face.left + face.width
        assert face.top < y < face.top + face.height
    assert 150 < face.width == face.height < 300


def test_another_process_finds_the_same(portrait):
    elsewhere = pickle.loads(pickle.dumps(detector()))
    assert find_faces(portrait, elsewhere) == find_faces(portrait, detector()) != []


def test_finds_what_opencv_finds_in_the_grey_image(portrait, tmp_path):
    page = beside(portrait, smaller(portrait, 0.7), smaller(portrait, 0.5)).convert("L")
    page.save(tmp_path / "page.png")
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
    grey = cv2.imread(str(tmp_path / "page.png"), cv2.IMREAD_GRAYSCALE)
    found = cascade.detectMultiScale(grey, scaleFactor=1.2, minNeighbors=3, minSize=(60, 60))
    faces = read_face(tmp_path / "page.png", (8, 8), detector(scale_factor=1.2, neighbours=3, min_side=60))[1]
    assert len(faces) >= 3
    assert sorted(faces) == sorted(tuple(box) for box in found.tolist())


@pytest.mark.parametrize("turn", [False, True])
def test_the_largest_face_comes_first(portrait, turn):
    images = [portrait, smaller(portrait, 0.6)]
    faces = find_faces(beside(*images[::-1] if turn else images), detector())
    assert len(faces) == 2
    assert faces[0].width > 1.5 * faces[1].width
    assert (faces[0].left > faces[1].left) == turn


def test_of_equally_large_faces_the_topmost_then_the_leftmost_comes_first():
    small, top, left, narrow, right = (0, 0, 6, 6), (9, 1, 8, 8), (0, 2, 8, 8), (5, 2, 4, 16), (5, 2, 8, 8)
    boxes = [Box(*sides) for sides in (right, narrow, small, left, top)]
    assert sorted(boxes, key=rank) == [top, left, narrow, right, small]


def test_faces_under_the_smallest_side_are_not_found(portrait):
    small = smaller(portrait, 0.4)
    assert find_faces(small, detector(min_side=120)) == []
    assert len(find_faces(small, detector(min_side=60))) == 1


def test_the_smallest_side_counts_in(portrait):
    every = find_faces(portrait, detector(neighbours=0, min_side=60))
    smallest = min(face.width for face in every)
    assert find_faces(portrait, detector(neighbours=0, min_side=smallest)) == every
    assert len(find_faces(portrait, detector(neighbours=0, min_side=smallest + 1))) < len(every)


def test_the_smallest_side_is_in_pixels_of_the_original_whatever_size_is_asked(portrait, tmp_path):
    smaller(portrait, 0.4).save(tmp_path / "image.jpg")
    portrait.save(tmp_path / "large.jpg")
    assert read_face(tmp_path / "large.jpg", (8, 8), detector())[0].shape == (8, 8, 3)
    with pytest.raises(UnusableImage):
        read_face(tmp_path / "image.jpg", (400, 400), detector())


def test_an_image_without_a_face_is_unusable(tmp_path, draw):
    draw(0, (300, 300)).save(tmp_path / "image.png")
    with pytest.raises(UnusableImage, match=r"^no face: expected one of at least 120 pixels$") as caught:
        read_face(tmp_path / "image.png", (8, 8), detector())
    assert caught.value.reason == "no face"


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (23, 23), (24, 24)])
def test_an_image_smaller_than_any_face_has_none(size):
    assert find_faces(Image.new("RGB", size), detector(min_side=1)) == []


def test_a_damaged_image_keeps_its_own_reason(portrait, tmp_path):
    portrait.save(tmp_path / "image.jpg")
    (tmp_path / "image.jpg").write_bytes((tmp_path / "image.jpg").read_bytes()[:20_000])
    with pytest.raises(UnusableImage, match=r"^truncated: "):
        read_face(tmp_path / "image.jpg", (8, 8), detector())


@pytest.mark.parametrize(
    ("size", "share", "margin"),
    [((96, 96), (1, 1), 0.0), ((60, 90), (1, 2 / 3), 0.25), ((90, 40), (4 / 9, 1), 0.25)],
)
def test_the_pixels_are_those_of_the_box_with_its_margin_cut_around_its_middle(portrait, tmp_path, size, share, margin):
    portrait.save(tmp_path / "image.png")
    pixels, (face,) = read_face(tmp_path / "image.png", size, detector(margin=margin))
    x, y = face.left + face.width / 2, face.top + face.height / 2
    half = [side * face.width * (1 + 2 * margin) / 2 for side in share]
    expected = portrait.resize(size[::-1], LANCZOS, box=(x - half[0], y - half[1], x + half[0], y + half[1]))
    assert pixels.dtype == np.uint8
    assert largest_difference(pixels, expected) <= 1


def test_a_margin_ends_at_the_images_border(portrait, tmp_path):
    (face,) = find_faces(portrait, detector())
    close = portrait.crop((face.left - 20, face.top - 20, portrait.width, face.top + face.height + 20))
    close.save(tmp_path / "image.png")
    pixels, _ = read_face(tmp_path / "image.png", (96, 96), detector(margin=5))
    assert largest_difference(pixels, ImageOps.fit(close, (96, 96), LANCZOS)) <= 1


@pytest.mark.parametrize(
    ("margin", "edges"),
    [
        (0, (10, 20, 40, 60)),
        (0.25, (2.5, 10, 47.5, 70)),
        (1 / 3, (0, 20 - 40 / 3, 50, 60 + 40 / 3)),
        (0.5, (0, 0, 55, 80)),
        (100, (0, 0, 60, 80)),
    ],
)
def test_a_box_grows_by_the_margin_of_its_sides_within_the_image(margin, edges):
    assert grow(Box(10, 20, 30, 40), margin, (60, 80)) == pytest.approx(edges)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_face_is_found_however_the_camera_stored_it(portrait, tmp_path, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = portrait.transpose(BACK[orientation]) if orientation in BACK else portrait
    portrait.save(tmp_path / "upright.png")
    stored.save(tmp_path / "stored.png", exif=exif)
    pixels, faces = read_face(tmp_path / "stored.png", (96, 64), detector(margin=0.1))
    expected, same = read_face(tmp_path / "upright.png", (96, 64), detector(margin=0.1))
    assert faces == same
    assert np.array_equal(pixels, expected)


def test_threads_that_share_a_detector_find_what_one_finds(portrait):
    shared = detector(min_side=60)
    pages = [beside(smaller(portrait, 0.5 + 0.05 * number), smaller(portrait, 0.4)) for number in range(4)]
    alone = [find_faces(page, shared) for page in pages]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda page: find_faces(page, shared), pages * 2)) == alone * 2
    assert all(len(faces) == 2 for faces in alone)


def test_opencv_starts_no_threads_of_its_own():
    cv2.setNumThreads(2)
    detector()
    assert cv2.getNumThreads() == 1


@pytest.mark.parametrize("cascade", [b"", b"<html>no cascade</html>"])
def test_a_detector_opens_only_with_a_cascade(cascade, tmp_path):
    (tmp_path / "cascade.xml").write_bytes(cascade)
    with pytest.raises(ValueError, match=r"cascade.xml: expected a cascade that OpenCV can read, got another file\.$"):
        detector(cascade=str(tmp_path / "cascade.xml"))


def colours(image):
    return {image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)}


def rgb(code):
    return tuple(bytes.fromhex(code[1:]))


def test_the_first_face_has_a_thick_frame_and_the_others_thin_ones():
    framed = outline(Image.new("RGB", (400, 200)), [Box(40, 40, 120, 120), Box(240, 80, 80, 80)], 100)
    assert framed.size == (100, 50)
    row = [framed.getpixel((x, 25)) for x in range(100)]
    assert [x for x in range(100) if row[x] == rgb(CHOSEN)] == [10, 11, 12, 37, 38, 39]
    assert [x for x in range(100) if row[x] == rgb(OTHER)] == [60, 79]


def test_the_first_faces_frame_lies_over_the_others():
    framed = outline(Image.new("RGB", (50, 50)), [Box(10, 10, 20, 20), Box(10, 10, 20, 20)], 50)
    assert framed.size == (50, 50)
    assert colours(framed) == {(0, 0, 0), rgb(CHOSEN)}


def test_an_image_without_faces_is_only_made_small():
    assert colours(outline(Image.new("RGB", (300, 100)), [], 60)) == {(0, 0, 0)}


def test_a_face_too_small_to_see_is_still_framed():
    framed = outline(Image.new("RGB", (9000, 300)), [Box(4500, 150, 24, 24), Box(10, 10, 24, 24)], 90)
    assert {rgb(CHOSEN), rgb(OTHER)} < colours(framed)


URL = "https://127.0.0.1/cascade.xml"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale_factor", 1.009, r"scale_factor: expected a number >= 1\.01, got 1\.009"),
        ("scale_factor", float("inf"), r"scale_factor: expected a finite number, got inf"),
        ("neighbours", -1, r"neighbours: expected a number >= 0, got -1"),
        ("min_side", 0, r"min_side: expected a number >= 1, got 0"),
        ("min_side", 100_001, r"min_side: expected a number <= 100000, got 100001"),
        ("margin", -0.1, r"margin: expected a number >= 0(\.0)?, got -0\.1"),
        ("margin", float("nan"), r"margin: expected a (finite )?number.*, got nan"),
        ("cascade", 5, r"cascade: expected a text, got 5"),
        ("cascade", URL, r"sha256: expected 64 hexadecimal digits for a URL, got None"),
        ("sha256", "0" * 63, r"sha256: expected 64 hexadecimal digits, got '0{63}'"),
        ("sha256", "g" * 64, r"sha256: expected 64 hexadecimal digits, got 'g{64}'"),
        ("min_sides", 5, r"min_sides: expected a known key, got min_sides"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(project, name, value, message):
    project(f"preprocess.face.{name}", value)
    with pytest.raises(ValueError, match=r"^params\.yaml preprocess\.face\." + message + r"\.$"):
        params.read(Preprocess, "preprocess")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale_factor", 1.01), ("scale_factor", 2), ("neighbours", 0), ("min_side", 1), ("margin", 0),
        ("margin", 1.5), ("sha256", "0a" * 32), ("cascade", "any.xml"),
    ],
)  # fmt: skip
def test_values_at_the_edge_are_taken(project, name, value):
    project(f"preprocess.face.{name}", value)
    assert getattr(params.read(Preprocess, "preprocess").face, name) == value


def test_a_hash_is_read_in_either_case_and_may_be_left_out(project):
    project("preprocess.face.cascade", URL)
    project("preprocess.face.sha256", "0A" * 32)
    assert params.read(Preprocess, "preprocess").face.sha256 == "0a" * 32
    project("preprocess.face.cascade", "any.xml")
    for nothing in ("", None):
        project("preprocess.face.sha256", nothing)
        assert params.read(Preprocess, "preprocess").face.sha256 is None
