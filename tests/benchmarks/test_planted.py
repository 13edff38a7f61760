import csv
from collections import Counter
from itertools import combinations, islice, pairwise

import imagehash
import joblib
import numpy as np
import pytest
from numpy.random import default_rng
from PIL import Image, ImageChops

from benchmarks import planted as planted_set
from benchmarks.planted import CLASSES, Original, divide, plan_camera, write, write_original
from benchmarks.scenes import distinct_flats, draw_flat, draw_noise, draw_scene, is_distinct
from benchmarks.truth import Score, Truth, find_unplanted, score
from benchmarks.variants import CHANGES, DAMAGES, choose_ending, decodes, encode

pytestmark = pytest.mark.slow  # the scenes are drawn for a benchmark alone

ENDLESS = "PNG without end"


def plant(folder, backend="sequential", n_jobs=1, **options):
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs), pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted_set, "SIDES", (200, 500))
        write(folder, **{"seed": 0, "images": 60, **options})
    return folder


def read_truth(folder):
    with (folder / "truth.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def read_all(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return plant(tmp_path_factory.mktemp("sets") / "planted")


@pytest.fixture(scope="module")
def truth(planted):
    return read_truth(planted)


@pytest.fixture(scope="module")
def scene():
    return draw_scene((400, 300), [1], [2], [3])


def test_fifteen_hundred_files_are_1140_originals_300_near_duplicates_and_60_broken():
    assert divide(1500) == (1140, 300, 60)


def test_the_truth_names_every_file_once_and_lies_outside_the_classes(planted, truth):
    files = [path.relative_to(planted / "images").as_posix() for path in (planted / "images").glob("*/*")]
    assert sorted(files) == [row["file"] for row in truth]
    assert {file.split("/")[0] for file in files} == set(CLASSES)
    assert len(files) == 60


def test_each_kind_of_change_and_damage_is_there_as_often(truth):
    counts = Counter(row["kind"] for row in truth)
    assert [counts[kind] for kind in CHANGES] == [1] * len(CHANGES)
    assert [counts[kind] for kind in DAMAGES] == [1] * len(DAMAGES)
    assert [counts[kind] for kind in ("drawing", "same colours", "same ground", "scene")] == [3, 1, 1, 33]


def test_near_duplicates_come_from_different_originals_of_their_class(truth):
    kinds = {row["file"]: row["kind"] for row in truth}
    near = [row for row in truth if row["kind"] in CHANGES]
    assert len({row["original"] for row in near}) == len(near)
    for row in near:
        assert kinds[row["original"]] not in (*CHANGES, *DAMAGES)
        assert row["original"].split("/")[0] == row["file"].split("/")[0]


def test_originals_and_broken_files_name_no_original(truth):
    assert {row["original"] for row in truth if row["kind"] not in CHANGES} == {""}


def test_all_files_decode_but_the_broken_ones(planted, truth):
    for row in truth:
        is_broken = row["kind"] in DAMAGES and row["kind"] != ENDLESS
        assert decodes((planted / "images" / row["file"]).read_bytes()) != is_broken, row


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damage_is_what_it_says_for_every_image(kind, scene):
    ending, damage = DAMAGES[kind]
    for seed in range(8):
        content = damage(scene, default_rng(seed))
        assert decodes(content) == (kind == ENDLESS)
        if kind == ENDLESS:
            assert ending == ".png" and content + encode(scene, ".png", 0)[-12:] == encode(scene, ".png", 0)


def test_the_same_seed_gives_the_same_bytes_on_one_core_and_on_two(planted, tmp_path):
    again = plant(tmp_path / "again", backend="threading", n_jobs=2)
    assert read_all(again) == read_all(planted)


def test_another_seed_shares_no_image(planted, tmp_path):
    other = {content for content in read_all(plant(tmp_path / "other", seed=1)).values() if decodes(content)}
    assert len(other) == 50 + 1
    assert not other & set(read_all(planted).values())


def test_the_photographs_of_a_base_are_the_originals_as_they_are(tmp_path, draw):
    (tmp_path / "base" / "deep").mkdir(parents=True)
    for number in range(20):
        draw(number).save(tmp_path / "base" / "deep" / f"{number}.bmp")
    (tmp_path / "base" / "broken.jpg").write_bytes(b"no image")
    folder = plant(tmp_path / "planted", base=tmp_path / "base")
    rows = read_truth(folder)
    photographs = [(folder / "images" / row["file"]).read_bytes() for row in rows if row["kind"] == "photograph"]
    assert sorted(photographs) == sorted(path.read_bytes() for path in (tmp_path / "base" / "deep").iterdir())
    assert len(rows) == 20 + len(CHANGES) + len(DAMAGES)


def test_a_camera_takes_1_to_12_megapixels_4_to_3_upright_or_lying():
    sizes = [original.size for original in plan_camera(200, default_rng(0))]
    areas = [width * height / 1e6 for width, height in sizes]
    assert 1 <= min(areas) < 2 < 11 < max(areas) <= 12.01
    assert {round(width / height, 2) for width, height in sizes} == {0.75, 1.33}


def test_a_camera_saves_jpegs_only(tmp_path):
    for name in CLASSES:
        (tmp_path / "images" / name).mkdir(parents=True)
    rows = [write_original(Original("camera", (80, 60), (0, 1, 2)), number, 0, tmp_path) for number in range(20)]
    for row in rows:
        with Image.open(tmp_path / "images" / row["file"]) as image:
            assert (image.format, image.size) == ("JPEG", (80, 60))


def test_refuses_a_base_with_fewer_images_than_near_duplicates(tmp_path, write_tree):
    base = write_tree(tmp_path / "base", {"a": 11})
    with pytest.raises(ValueError, match="expected at least 12 readable images, got 11"):
        plant(tmp_path / "planted", base=base)


def test_refuses_a_folder_that_is_there(planted):
    with pytest.raises(ValueError, match="expected no such folder yet, got one"):
        plant(planted)


def test_refuses_fewer_images_than_one_of_each_kind_needs(tmp_path):
    with pytest.raises(ValueError, match="--images: expected an integer >= 60, got 59"):
        plant(tmp_path / "planted", images=59)


def change(kind, image, seed=0):
    return CHANGES[kind][0](image, default_rng(seed))


@pytest.mark.parametrize(("kind", "share"), [("crop 2 %", 0.98), ("crop 5 %", 0.95)])
def test_a_crop_cuts_its_share_of_both_sides_and_moves_nothing(kind, share, scene):
    cropped = change(kind, scene)
    assert cropped.size == (round(400 * share), round(300 * share))
    places = [(x, y) for x in range(401 - cropped.width) for y in range(301 - cropped.height)]
    assert any(scene.crop((x, y, x + cropped.width, y + cropped.height)) == cropped for x, y in places)


def test_a_small_image_is_cropped_by_a_pixel(draw):
    assert change("crop 2 %", draw(0, (20, 10))).size == (19, 9)


def test_resizing_stays_between_30_and_80_percent(scene):
    widths = [change("resize", scene, seed).width for seed in range(50)]
    assert 120 <= min(widths) < 160 < 280 < max(widths) <= 320


def test_a_repost_has_a_screen_width_below_its_own(scene, draw):
    assert {change("repost", scene, seed).size for seed in range(20)} == {(320, 240)}
    assert change("repost", draw(0, (320, 200))).size == (240, 150)


def test_flipping_twice_gives_the_image_back(scene):
    assert change("flip", scene) != scene
    assert change("flip", change("flip", scene)) == scene


def test_a_watermark_leaves_most_of_the_image_as_it_is(scene):
    for seed in range(8):
        box = ImageChops.difference(scene, change("watermark", scene, seed)).getbbox()
        assert 0.3 * 400 - 5 <= box[2] - box[0] <= 0.6 * 400 and box[3] - box[1] < 100


def test_a_rotation_has_white_corners_or_none():
    grey = Image.new("RGB", (400, 300), (90, 90, 90))
    corners = {(turned.size, turned.getpixel((0, 0))) for turned in (change("rotation", grey, n) for n in range(8))}
    assert corners == {((400, 300), (255, 255, 255)), ((388, 286), (90, 90, 90))}


def test_greyscale_has_one_channel(scene):
    assert change("greyscale", scene).mode == "L"


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".gif"])
def test_another_format_is_never_the_original_one(ending):
    endings = {choose_ending("format", ending, default_rng(seed)) for seed in range(50)}
    assert endings == {".jpg", ".png", ".webp", ".gif"} - {ending}


def to_ink(numbers):
    return [255.0 - np.asarray(draw_flat((96, 96), [7, number]).resize((24, 24), 4)) for number in numbers]


def test_drawings_differ_in_shape_and_colour_mirrored_too():
    ink = to_ink(islice(distinct_flats([7]), 25))
    for number, one in enumerate(ink):
        for other in ink[:number]:
            for same in (other, other[:, ::-1]):
                covered, also = one.max(axis=2) > 40, same.max(axis=2) > 40
                assert (covered != also).sum() >= 0.15 * (covered | also).sum()
                assert np.abs(one - same).sum() >= 0.5 * max(one.sum(), same.sum())


def test_a_drawing_too_like_another_is_left_out():
    taken = list(islice(distinct_flats([7]), 40))
    left_out = sorted(set(range(taken[-1])) - set(taken))
    assert left_out
    for number in left_out:
        ink, *before = to_ink([number, *(each for each in taken if each < number)])
        assert not all(is_distinct(ink, other) for known in before for other in (known, known[:, ::-1]))


def test_some_drawings_come_as_close_in_their_hashes_as_near_duplicates():
    drawings = [draw_flat((300, 300), [7, number]) for number in islice(distinct_flats([7]), 114)]
    hashes = [imagehash.phash(drawing) for drawing in drawings]
    assert 3 <= sum(one - other <= 8 for one, other in combinations(hashes, 2)) <= 100


@pytest.mark.parametrize("exponent", [0.9, 1.3])
def test_noise_falls_off_with_frequency_as_asked(exponent):
    noise = draw_noise(default_rng(0), (512, 512), exponent)
    amplitude = np.abs(np.fft.fft2(noise))
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512))
    edges = np.geomspace(0.02, 0.4, 9)
    rings = [amplitude[(low <= frequency) & (frequency < high)].mean() for low, high in pairwise(edges)]
    slope = np.polyfit(np.log(edges[1:]), np.log(rings), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)
    assert (noise.mean(), noise.std()) == pytest.approx((0, 1), abs=1e-3)


def test_scenes_share_only_what_they_are_told_to(scene):
    assert draw_scene((400, 300), [1], [2], [3]) == scene
    same_ground = np.asarray(draw_scene((400, 300), [1], [2], [4]))
    is_equal = (same_ground == np.asarray(scene)).all(axis=2).mean()
    assert 0.05 < is_equal < 0.8
    assert (np.asarray(draw_scene((400, 300), [1], [5], [3])) == np.asarray(scene)).all(axis=2).mean() < 0.05


@pytest.fixture
def known():
    """Return two originals, two copies of the first and one of the second, and a broken file."""
    originals = {"a": "a", "a1": "a", "a2": "a", "b": "b", "b1": "b", "x": "x"}
    return Truth(originals, {"a": "scene", "a1": "flip", "a2": "resize", "b": "scene", "b1": "flip", "x": "empty"})


def test_pairs_count_transitively(known):
    assert score([("a1", "a", 0), ("a2", "a1", 3)], [], known) == Score(Counter(flip=1, resize=1), 3, 0, Counter())


def test_a_pair_of_copies_without_their_original_is_right_and_finds_nothing(known):
    assert score([("a1", "a2", 0)], [], known) == Score(Counter(), 1, 0, Counter())


def test_one_wrong_pair_makes_all_pairs_between_its_groups_wrong(known):
    reached = score([("a", "a1", 0), ("b1", "b", 0), ("a1", "b1", 2)], ["x"], known)
    assert reached == Score(Counter(flip=2), 2, 4, Counter(empty=1))
    assert reached.precision == pytest.approx(1 / 3)


def test_a_pair_with_a_broken_file_is_wrong(known):
    assert score([("x", "b", 0)], [], known).wrong == 1


def test_nothing_reported_has_no_precision(known):
    assert score([], [], known).precision == 0


def test_the_pairs_that_were_not_planted_are_named_by_their_originals(known):
    assert find_unplanted([("a1", "b1", 0), ("a", "a2", 0)], known) == [("a", "b")]
