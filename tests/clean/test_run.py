import hashlib
import io
import tracemalloc
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageOps
from PIL.PngImagePlugin import PngInfo

from stages.clean.run import run
from stages.clean.settings import Clean
from stages.core.tables import read_table

SETTINGS = Clean(
    min_side=32, max_megapixels=1, max_aspect=50, max_frames=1, min_contrast=3, min_sharpness=0.001, max_distance=12,
    min_similarity=0.85, max_changed=0.1, min_likeness=0.85, mirrored=False, rotated=False, placeholder_copies=10,
    placeholder_hashes=[], on_duplicate="reject", on_conflict="reject",
)  # fmt: skip
NOISE = Image.effect_noise((40, 40), 50)
HEADER = "image_id,decision,class,reason,time\n"
COLUMNS = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]


def encode(image, format_="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def numbered(image, number):
    """Return the same pixels in other bytes."""
    text = PngInfo()
    text.add_text("number", str(number))
    return encode(image, pnginfo=text)


def id_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def clean(tmp_path):
    """Write raw images of (class, bytes), clean them, and return the counts and both tables."""

    def clean(images, decisions=(), given=None, **changes):
        rows = []
        for number, (class_, content) in enumerate(images):
            file = tmp_path / "raw" / class_ / f"{id_of(content)[:16]}.img"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            try:
                width, height = Image.open(io.BytesIO(content)).size
            except OSError:
                width = height = 0
            rows.append({
                "image_id": id_of(content), "class": class_, "source_id": f"{class_}/{number}", "width": width,
                "height": height, "given_split": given[number] if given else "", "file": f"{class_}/{file.name}",
            })  # fmt: skip
        pd.DataFrame(rows).to_csv(tmp_path / "raw" / "images.csv", index=False)
        lines = [",".join([image_id, *rest, "2026-11-21T12:00:00Z"]) for image_id, *rest in decisions]
        review = tmp_path / "review.csv"
        review.write_text(HEADER + "".join(f"{line}\n" for line in lines))
        settings = SETTINGS.model_copy(update=changes)
        counts = run(settings, tmp_path / "raw", review, tmp_path / "cleaned")
        kept, rejected = (read_table(tmp_path / "cleaned" / f"{name}.csv") for name in ("kept", "rejected"))
        assert counts["listed"] == len(images) == len(kept) + len(rejected)
        assert counts["listed"] == counts["kept"] + sum(counts["rejected"].values())
        assert counts["kept"] == len(kept) == sum(counts["classes"].values())
        assert not kept.duplicated(["image_id", "given_split"]).any() or settings.on_duplicate == "keep"
        return counts, kept, rejected

    return clean


def test_different_images_are_all_kept_each_in_its_own_group(clean, draw):
    counts, kept, rejected = clean([("cat", encode(draw(n))) for n in range(4)] + [("NA", encode(draw(9)))])
    assert counts == {
        "listed": 5, "kept": 5, "rejected": {}, "pairs": {}, "decisions": {}, "waiting": 0, "groups": 5,
        "largest_groups": [1, 1, 1, 1, 1], "classes": {"NA": 1, "cat": 4},
    }  # fmt: skip
    assert kept["group"].tolist() == kept["image_id"].tolist() == sorted(kept["image_id"])
    assert kept["phash"].str.fullmatch("[0-9a-f]{16}").all()
    assert rejected.empty
    assert rejected.columns.tolist() == COLUMNS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image", "unreadable"),
        (b"", "unreadable"),
        (encode(Image.effect_noise((40, 40), 50))[:-300], "truncated"),
        (encode(Image.effect_noise((40, 40), 50))[:-12], "truncated"),
        (encode(Image.effect_noise((40, 40), 50), "JPEG")[:-2], "truncated"),
        (encode(Image.new("F", (40, 40)), "TIFF"), "unsupported"),
        (encode(Image.new("L", (31, 40))), "too small"),
        (encode(Image.new("L", (40, 31))), "too small"),
        (encode(Image.new("L", (1001, 1000))), "too large"),
        (encode(Image.new("L", (40, 40))), "blank"),
        (encode(Image.linear_gradient("L").resize((256, 256))), "blurred"),
        (encode(Image.effect_noise((32, 1601), 50)), "extreme aspect"),
        (
            encode(Image.effect_noise((40, 40), 50), "GIF", save_all=True, append_images=[Image.new("L", (40, 40))]),
            "animated",
        ),
        (b"<!DOCTYPE html><html><body>404</body></html>", "wrong type"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(clean, draw, content, reason):
    counts, kept, rejected = clean([("cat", encode(draw(0))), ("dog", content)])
    assert counts["rejected"] == {reason: 1}
    assert kept["class"].tolist() == ["cat"]
    assert rejected[["class", "reason", "twin", "distance"]].to_numpy().tolist() == [["dog", reason, "", ""]]
    assert rejected["detail"][0] != ""


@pytest.mark.parametrize("size", [(32, 32), (32, 900), (1000, 1000)])
def test_an_image_at_the_limits_of_size_is_kept(clean, draw, size):
    assert clean([("cat", encode(draw(0, size)))])[0]["kept"] == 1


def test_a_size_is_refused_by_the_header_before_decoding(clean, draw):
    cut = encode(draw(0, (1200, 1000)), "JPEG")[:700]
    assert clean([("cat", encode(draw(0))), ("cat", cut)])[0]["rejected"] == {"too large": 1}


def test_an_image_of_any_mode_is_kept(clean, draw):
    images = [
        encode(draw(n).convert(mode), format_)
        for n, (mode, format_) in enumerate(
            [
                ("L", "PNG"),
                ("P", "GIF"),
                ("RGBA", "PNG"),
                ("CMYK", "JPEG"),
                ("1", "PNG"),
                ("LA", "PNG"),
                ("LAB", "TIFF"),
            ]
        )
    ]
    assert clean([("cat", content) for content in images])[0]["rejected"] == {}


def test_a_second_copy_is_a_duplicate(clean, draw):
    content = encode(draw(0))
    counts, kept, rejected = clean([("cat", content), ("cat", encode(draw(1))), ("cat", content)])
    assert counts["rejected"] == {"duplicate": 1}
    assert kept["source_id"].tolist() == sorted(kept["source_id"], key=kept.set_index("source_id")["image_id"].get)
    assert "cat/0" in kept["source_id"].tolist()
    expected = ["cat/2", id_of(content), "0"]
    assert rejected[["source_id", "twin", "distance"]].to_numpy().tolist() == [expected]


@pytest.mark.parametrize("order", [1, -1])
def test_keeps_the_largest_of_two_near_duplicates(clean, draw, order):
    large = draw(0, (200, 160))
    small = encode(large.resize((100, 80), Image.Resampling.LANCZOS))
    counts, kept, rejected = clean([("cat", encode(large)), ("cat", small)][::order])
    assert counts["rejected"] == {"near-duplicate": 1}
    assert kept["image_id"].tolist() == [id_of(encode(large))]
    assert rejected[["image_id", "twin"]].to_numpy().tolist() == [[id_of(small), id_of(encode(large))]]


def test_keeps_the_smallest_id_of_equally_large_ones(clean, draw):
    contents = [numbered(draw(0), number) for number in range(5)]
    counts, kept, rejected = clean([("cat", content) for content in contents])
    assert counts["rejected"] == {"near-duplicate": 4}
    assert kept["image_id"].tolist() == [min(map(id_of, contents))]
    assert rejected["distance"].tolist() == ["0"] * 4


def near(draw):
    """Return an image and a crop of it whose hash differs in some bits."""
    first = draw(1, (128, 128))
    return first, first.crop((6, 5, 128, 128))


def test_a_pair_at_max_distance_is_one_image_and_one_beyond_is_two(clean, draw):
    images = [("cat", encode(image)) for image in near(draw)]
    _, kept, _ = clean(images, max_distance=0)
    assert len(kept) == 2
    first, second = (int(digits, 16) for digits in kept["phash"])
    distance = (first ^ second).bit_count()
    assert 1 < distance <= 12
    counts, _, rejected = clean(images, max_distance=distance)
    assert counts["rejected"] == {"near-duplicate": 1}
    assert rejected["distance"].tolist() == [str(distance)]
    assert clean(images, max_distance=distance - 1)[0]["kept"] == 2


def test_look_alikes_stay_in_one_group_with_the_smallest_id(clean, draw):
    images = [("cat", encode(image)) for image in near(draw)]
    counts, kept, _ = clean(images, min_similarity=1.0)
    assert (counts["kept"], counts["groups"], counts["largest_groups"]) == (2, 1, [2])
    assert counts["pairs"] == {"look-alike": 1}
    assert kept["group"].tolist() == [min(kept["image_id"])] * 2
    assert kept["original"].tolist() == kept["image_id"].tolist()
    assert clean(images, min_similarity=1.0, min_likeness=1.0)[0]["groups"] == 2
    assert clean(images, min_similarity=1.0, max_distance=0)[0]["groups"] == 2


def test_the_same_bytes_are_the_same_image_however_smooth_it_is(clean):
    ramp = np.outer(np.linspace(0, 1, 200), np.linspace(0, 1, 200)) ** 2
    dots = np.random.default_rng(0).normal(size=(200, 200))
    content = encode(Image.fromarray((100 + 30 * ramp + 0.7 * dots).astype(np.uint8)))
    limits = {"min_contrast": 1, "min_sharpness": 0.0}
    counts = clean([("cat", content), ("dog", content)], on_conflict="keep", **limits)[0]
    assert (counts["rejected"], counts["kept"]) == ({"duplicate": 1}, 1)


def test_a_copy_with_a_large_change_is_no_duplicate(clean, draw):
    image = draw(1, (128, 128))
    changed = image.copy()
    ImageDraw.Draw(changed).rectangle((0, 0, 80, 30), fill="white")
    images = [("cat", encode(image)), ("cat", encode(changed))]
    assert clean(images, max_distance=64, min_similarity=0.1)[0]["kept"] == 2
    assert clean(images, max_distance=64, min_similarity=0.1, max_changed=1)[0]["rejected"] == {"near-duplicate": 1}


def test_copies_in_several_given_splits_stay_and_share_their_original(clean, draw):
    images = [("cat", encode(image)) for image in near(draw)]
    _, kept, _ = clean(images, given=["train", "test"])
    assert kept["original"].tolist() == kept["group"].tolist() == [min(kept["image_id"])] * 2


def test_a_group_is_named_after_its_smallest_id_even_if_that_is_rejected(clean, draw):
    large = draw(0, (200, 160))
    contents = [encode(large), *(numbered(large.resize((100, 80)), number) for number in range(6))]
    _, kept, _ = clean([("cat", content) for content in contents])
    assert kept["image_id"].tolist() == [id_of(contents[0])]
    assert kept["group"].tolist() == [min(map(id_of, contents))]
    assert kept["group"][0] != kept["image_id"][0]


def test_the_same_bytes_in_two_classes_are_a_conflict(clean, draw):
    content = encode(draw(0))
    counts, kept, rejected = clean([("cat", content), ("dog", content), ("dog", encode(draw(1)))])
    assert counts["rejected"] == {"conflict": 2}
    assert kept["source_id"].tolist() == ["dog/2"]
    assert rejected[["class", "twin", "distance"]].to_numpy().tolist() == [
        ["cat", id_of(content), "0"],
        ["dog", id_of(content), "0"],
    ]


def test_near_duplicates_in_two_classes_are_a_conflict(clean, draw):
    large = draw(0, (200, 160))
    images = [("cat", encode(large)), ("dog", encode(large.resize((100, 80)))), ("dog", encode(draw(1)))]
    counts, kept, rejected = clean(images)
    assert counts["rejected"] == {"conflict": 2}
    assert kept["source_id"].tolist() == ["dog/2"]
    assert dict(zip(rejected["class"], rejected["twin"], strict=True)) == {
        "cat": id_of(images[1][1]),
        "dog": id_of(images[0][1]),
    }


def test_all_copies_of_an_image_in_conflict_are_rejected_as_such(clean, draw):
    content = encode(draw(0))
    images = [("cat", content), ("cat", content), ("cat", numbered(draw(0), 1)), ("dog", content)]
    assert clean([*images, ("dog", encode(draw(1)))])[0]["rejected"] == {"conflict": 4}


def test_look_alikes_in_two_classes_are_no_conflict_but_share_a_group(clean, draw):
    first, second = near(draw)
    counts, _, _ = clean([("cat", encode(first)), ("dog", encode(second))], min_similarity=1.0)
    assert (counts["kept"], counts["groups"]) == (2, 1)


def test_of_a_conflict_the_best_is_kept_on_request(clean, draw):
    large = draw(0, (200, 160))
    images = [("cat", encode(large.resize((100, 80)))), ("dog", encode(large))]
    counts, kept, rejected = clean(images, on_conflict="keep")
    assert counts["rejected"] == {"near-duplicate": 1}
    assert kept["class"].tolist() == ["dog"]
    assert rejected["class"].tolist() == ["cat"]


def test_of_the_same_bytes_in_two_classes_one_is_kept_on_request(clean, draw):
    content = encode(draw(0))
    counts, kept, rejected = clean([("dog", content), ("cat", content)], on_conflict="keep")
    assert counts["rejected"] == {"duplicate": 1}
    assert kept["class"].tolist() == ["cat"]
    assert rejected["twin"].tolist() == [id_of(content)]


def test_a_turned_photograph_is_a_copy_of_the_upright_one(clean, draw):
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = draw(0, (120, 80))
    turned = encode(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert clean([("cat", encode(upright)), ("cat", turned)])[0]["rejected"] == {"near-duplicate": 1}


@pytest.mark.parametrize(
    ("classes", "contents", "reasons"),
    [
        (["cat", "dog"], [b"no", b"image"], "2 unreadable"),
        (["cat", "dog"], [b"no", encode(Image.new("L", (9, 9)))], "1 too small, 1 unreadable"),
        (["cat", "dog"], [encode(Image.linear_gradient("L").point(lambda grey: 255 * (grey > 99)))] * 2, "2 conflict"),
    ],
)
def test_nothing_left_is_an_error_that_counts_the_reasons(clean, tmp_path, classes, contents, reasons):
    with pytest.raises(ValueError, match=rf"raw: expected an image that passes `clean`, got {reasons}\.$"):
        clean(list(zip(classes, contents, strict=True)))
    assert not (tmp_path / "cleaned").exists()


def test_a_second_run_writes_the_same_and_the_source_is_left_alone(clean, draw, tmp_path):
    images = [("cat", encode(draw(n % 3, (64 + n, 64)))) for n in range(6)] + [
        ("dog", b"no"),
        ("dog", encode(draw(0))),
    ]
    clean(images)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    clean(images)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_order_of_the_source_makes_no_difference(clean, draw, tmp_path):
    sizes = [(64, 48), (128, 96), (64, 48), (96, 72)]
    images = [("cat", encode(draw(n % 2, size))) for n, size in enumerate(sizes)]
    tables = [clean(order)[1]["image_id"].tolist() for order in (images, images[::-1])]
    assert tables[0] == tables[1]


def test_every_column_of_the_source_is_passed_on(clean, draw):
    _, kept, _ = clean([("007", encode(draw(0)))])
    assert kept.columns.tolist() == [
        "image_id",
        "class",
        "source_id",
        "width",
        "height",
        "given_split",
        "file",
        "phash",
        "texture",
        "original",
        "group",
    ]
    assert kept["class"].tolist() == ["007"]


def test_a_mirror_image_is_a_copy_only_on_request(clean, draw):
    images = [("cat", encode(draw(0))), ("cat", encode(ImageOps.mirror(draw(0))))]
    assert clean(images)[0]["kept"] == 2
    assert clean(images, mirrored=True)[0]["rejected"] == {"near-duplicate": 1}
    assert clean(images, rotated=True)[0]["kept"] == 2


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_is_a_copy_only_on_request(clean, draw, turns):
    images = [("cat", encode(draw(0))), ("cat", encode(draw(0).rotate(90 * turns, expand=True)))]
    assert clean(images, mirrored=True)[0]["kept"] == 2
    assert clean(images, rotated=True)[0]["rejected"] == {"near-duplicate": 1}


def test_the_same_shape_in_another_colour_is_no_copy(clean):
    images = []
    for colour in ("red", "darkgreen"):
        image = Image.new("RGB", (90, 90), "white")
        image.paste(colour, (10, 30, 50, 80))
        images.append(("cat", encode(image)))
    counts, _, _ = clean(images)
    assert (counts["kept"], counts["groups"]) == (2, 1)


def test_copies_in_different_given_splits_stay_for_split_to_report(clean, draw):
    content = encode(draw(0))
    images = [("cat", content), ("cat", content), ("cat", content), ("cat", numbered(draw(0), 1))]
    counts, kept, _ = clean(images, given=["train", "train", "test", "test"])
    assert counts["rejected"] == {"duplicate": 1, "near-duplicate": 1}
    assert sorted(kept["given_split"]) == ["test", "train"]
    assert counts["groups"] == 1


def test_duplicates_stay_in_one_group_on_request(clean, draw):
    content = encode(draw(0))
    counts, _, _ = clean([("cat", content), ("cat", content), ("cat", numbered(draw(0), 1))], on_duplicate="keep")
    assert (counts["kept"], counts["groups"]) == (3, 1)


@pytest.mark.parametrize(("copies", "reasons"), [(4, {"duplicate": 3}), (5, {"placeholder": 5})])
def test_a_hash_that_repeats_too_often_is_a_placeholder(clean, draw, copies, reasons):
    images = [("cat", encode(draw(0)))] * copies + [("cat", encode(draw(1)))]
    assert clean(images, placeholder_copies=5)[0]["rejected"] == reasons


def test_a_known_placeholder_is_rejected_at_its_first_copy(clean, draw):
    images = [("cat", encode(draw(0))), ("cat", encode(draw(1)))]
    digits = clean(images)[1].set_index("image_id")["phash"][id_of(images[0][1])]
    _, _, rejected = clean(images, placeholder_hashes=[digits])
    assert rejected[["image_id", "reason"]].to_numpy().tolist() == [[id_of(images[0][1]), "placeholder"]]


def test_decisions_on_images_that_are_gone_wait_and_are_counted(clean, draw):
    images = [(name, encode(draw(n))) for n, name in enumerate(("cat", "dog"))]
    decisions = [("f" * 64, "move", "owl", ""), (id_of(images[0][1]), "reject", "cat", "")]
    counts, kept, _ = clean(images, decisions)
    assert (counts["decisions"], counts["waiting"]) == ({"reject": 1}, 1)
    assert kept["class"].tolist() == ["dog"]


def test_a_person_rejects_and_moves(clean, draw):
    contents = [encode(draw(n)) for n in range(3)]
    decisions = [(id_of(contents[0]), "reject", "cat", "ugly"), (id_of(contents[1]), "move", "dog", "")]
    images = [("cat", contents[0]), ("cat", contents[1]), ("dog", contents[2])]
    counts, kept, rejected = clean(images, decisions)
    assert counts["rejected"] == {"review": 1}
    assert counts["decisions"] == {"move": 1, "reject": 1}
    assert rejected["image_id"].tolist() == [id_of(contents[0])]
    assert kept["class"].tolist() == ["dog", "dog"]


def test_a_person_keeps_what_measures_and_copies_would_reject(clean, draw):
    blank, small = encode(Image.new("L", (40, 40))), encode(draw(0, (100, 80)))
    images = [("cat", blank), ("cat", small), ("cat", encode(draw(0, (200, 160))))]
    assert clean(images)[0]["rejected"] == {"blank": 1, "near-duplicate": 1}
    decisions = [(id_of(blank), "keep", "cat", ""), (id_of(small), "keep", "cat", "")]
    _, kept, rejected = clean(images, decisions)
    assert set(kept["image_id"]) == {id_of(blank), id_of(small)}
    assert rejected[["reason", "twin"]].to_numpy().tolist() == [["near-duplicate", id_of(small)]]


def test_a_person_settles_a_conflict(clean, draw):
    content = encode(draw(0))
    images = [("cat", content), ("dog", content), ("dog", encode(draw(1)))]
    counts, kept, _ = clean(images, [(id_of(content), "keep", "dog", "")])
    assert counts["rejected"] == {"duplicate": 1}
    assert kept["class"].tolist() == ["dog", "dog"]


def test_a_person_cannot_keep_what_is_damaged(clean, draw):
    cut = encode(Image.effect_noise((40, 40), 50))[:-300]
    counts, _, _ = clean([("cat", cut), ("cat", encode(draw(0)))], [(id_of(cut), "keep", "cat", "")])
    assert counts["rejected"] == {"truncated": 1}


def test_pairs_are_named_with_what_was_measured(clean, draw, tmp_path):
    images = [("cat", encode(image)) for image in near(draw)]
    clean(images, min_similarity=1.0)
    pairs = read_table(tmp_path / "cleaned" / "pairs.csv")
    assert pairs.columns.tolist() == [
        "first", "second", "first_class", "second_class", "distance", "similarity", "likeness", "changed",
        "form", "relation",
    ]  # fmt: skip
    assert {pairs["first"][0], pairs["second"][0]} == {id_of(content) for _, content in images}
    assert 0 <= float(pairs["similarity"][0]) < 1


def test_a_header_of_900_megapixels_and_an_animation_of_3_000_frames_take_no_memory(clean, draw):
    frames = [Image.new("L", (40, 40), number % 256) for number in range(2)]
    film = encode(frames[0], "GIF", save_all=True, append_images=[frames[number % 2] for number in range(1, 3_000)])
    header = bytearray(encode(draw(0)))
    header[16:24] = (30_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    tracemalloc.start()
    counts, _, _ = clean([("cat", film), ("cat", bytes(header)), ("cat", encode(draw(1)))])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts["rejected"] == {"animated": 1, "too large": 1}
    assert peak < 50_000_000
