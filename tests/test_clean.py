import hashlib
import io

import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stages.clean import Clean, run
from stages.core.files import read_table

SETTINGS = Clean(min_side=32, max_megapixels=1, max_distance=8, group_distance=12, on_conflict="reject")


def encode(image, format_="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def numbered(image, number):
    """The same pixels in other bytes."""
    text = PngInfo()
    text.add_text("number", str(number))
    return encode(image, pnginfo=text)


def id_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def clean(tmp_path):
    """Write raw images of (class, bytes), clean them, and return the counts and both tables."""

    def clean(pictures, **changes):
        rows = []
        for number, (class_, content) in enumerate(pictures):
            file = tmp_path / "raw" / class_ / f"{id_of(content)[:16]}.img"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            try:
                width, height = Image.open(io.BytesIO(content)).size
            except OSError:
                width = height = 0
            rows.append({
                "image_id": id_of(content), "class": class_, "source_id": f"{class_}/{number}", "width": width,
                "height": height, "file": f"{class_}/{file.name}",
            })  # fmt: skip
        pd.DataFrame(rows).to_csv(tmp_path / "raw" / "images.csv", index=False)
        counts = run(SETTINGS.model_copy(update=changes), tmp_path / "raw", tmp_path / "cleaned")
        kept, rejected = (read_table(tmp_path / "cleaned" / f"{name}.csv") for name in ("kept", "rejected"))
        assert counts["listed"] == len(pictures) == len(kept) + len(rejected)
        assert counts["listed"] == counts["kept"] + sum(counts["rejected"].values())
        assert counts["kept"] == len(kept) == sum(counts["classes"].values())
        assert kept["image_id"].is_unique
        return counts, kept, rejected

    return clean


def test_different_pictures_are_all_kept_each_in_its_own_group(clean, draw):
    counts, kept, rejected = clean([("cat", encode(draw(n))) for n in range(4)] + [("NA", encode(draw(9)))])
    assert counts == {"listed": 5, "kept": 5, "rejected": {}, "groups": 5, "classes": {"NA": 1, "cat": 4}}
    assert kept["group"].tolist() == kept["image_id"].tolist() == sorted(kept["image_id"])
    assert kept["phash"].str.fullmatch("[0-9a-f]{16}").all()
    assert rejected.empty
    columns = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]
    assert rejected.columns.tolist() == columns


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no picture", "unreadable"),
        (b"", "unreadable"),
        (encode(Image.effect_noise((40, 40), 50))[:-300], "truncated"),
        (encode(Image.effect_noise((40, 40), 50))[:-12], "truncated"),
        (encode(Image.effect_noise((40, 40), 50), "JPEG")[:-2], "truncated"),
        (encode(Image.new("F", (40, 40)), "TIFF"), "unsupported"),
        (encode(Image.new("L", (31, 40))), "too small"),
        (encode(Image.new("L", (40, 31))), "too small"),
        (encode(Image.new("L", (1001, 1000))), "too large"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(clean, draw, content, reason):
    counts, kept, rejected = clean([("cat", encode(draw(0))), ("dog", content)])
    assert counts["rejected"] == {reason: 1}
    assert kept["class"].tolist() == ["cat"]
    assert rejected[["class", "reason", "twin", "distance"]].to_numpy().tolist() == [["dog", reason, "", ""]]
    assert rejected["detail"][0] != ""


@pytest.mark.parametrize("size", [(32, 32), (32, 900), (1000, 1000)])
def test_a_picture_at_the_limits_of_size_is_kept(clean, draw, size):
    assert clean([("cat", encode(draw(0, size)))])[0]["kept"] == 1


def test_a_size_is_refused_by_the_header_before_decoding(clean, draw):
    cut = encode(draw(0, (1200, 1000)), "JPEG")[:700]
    assert clean([("cat", encode(draw(0))), ("cat", cut)])[0]["rejected"] == {"too large": 1}


def test_a_picture_of_any_mode_is_kept(clean, draw):
    pictures = [
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
    assert clean([("cat", content) for content in pictures])[0]["rejected"] == {}


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


def near(seed, draw):
    """A picture and one whose hash differs from it in some bits."""
    first, other = draw(seed, (128, 128)), draw(seed + 1, (128, 128))
    return first, Image.blend(first, other, 0.25)


def test_a_pair_at_max_distance_is_one_picture_and_one_beyond_is_two(clean, draw):
    pictures = [("cat", encode(image)) for image in near(0, draw)]
    _, kept, _ = clean(pictures, max_distance=0)
    assert len(kept) == 2
    first, second = (int(digits, 16) for digits in kept["phash"])
    distance = (first ^ second).bit_count()
    assert 1 < distance <= 12
    counts, _, rejected = clean(pictures, max_distance=distance)
    assert counts["rejected"] == {"near-duplicate": 1}
    assert rejected["distance"].tolist() == [str(distance)]
    assert clean(pictures, max_distance=distance - 1)[0]["kept"] == 2


def test_pictures_within_group_distance_share_the_smallest_id(clean, draw):
    pictures = [("cat", encode(image)) for image in near(0, draw)]
    _, kept, _ = clean(pictures, max_distance=0, group_distance=0)
    assert kept["group"].tolist() == kept["image_id"].tolist()
    distance = (int(kept["phash"][0], 16) ^ int(kept["phash"][1], 16)).bit_count()
    assert clean(pictures, max_distance=0, group_distance=distance - 1)[0]["groups"] == 2
    counts, kept, _ = clean(pictures, max_distance=0, group_distance=distance)
    assert counts["groups"] == 1
    assert kept["group"].tolist() == [min(kept["image_id"])] * 2


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
    pictures = [("cat", encode(large)), ("dog", encode(large.resize((100, 80)))), ("dog", encode(draw(1)))]
    counts, kept, rejected = clean(pictures)
    assert counts["rejected"] == {"conflict": 2}
    assert kept["source_id"].tolist() == ["dog/2"]
    assert dict(zip(rejected["class"], rejected["twin"], strict=True)) == {
        "cat": id_of(pictures[1][1]),
        "dog": id_of(pictures[0][1]),
    }


def test_all_copies_of_a_picture_in_conflict_are_rejected_as_such(clean, draw):
    content = encode(draw(0))
    pictures = [("cat", content), ("cat", content), ("cat", numbered(draw(0), 1)), ("dog", content)]
    assert clean([*pictures, ("dog", encode(draw(1)))])[0]["rejected"] == {"conflict": 4}


def test_a_conflict_beyond_max_distance_is_none_but_shares_a_group(clean, draw):
    first, second = near(0, draw)
    counts, _, _ = clean([("cat", encode(first)), ("dog", encode(second))], max_distance=0)
    assert (counts["kept"], counts["groups"]) == (2, 1)


def test_of_a_conflict_the_best_is_kept_on_request(clean, draw):
    large = draw(0, (200, 160))
    pictures = [("cat", encode(large.resize((100, 80)))), ("dog", encode(large))]
    counts, kept, rejected = clean(pictures, on_conflict="keep")
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
        (["cat", "dog"], [b"no", b"picture"], "2 unreadable"),
        (["cat", "dog"], [b"no", encode(Image.new("L", (9, 9)))], "1 too small, 1 unreadable"),
        (["cat", "dog"], [encode(Image.new("L", (40, 40)))] * 2, "2 conflict"),
    ],
)
def test_nothing_left_is_an_error_that_counts_the_reasons(clean, tmp_path, classes, contents, reasons):
    with pytest.raises(ValueError, match=rf"raw: expected an image that passes `clean`, got {reasons}\.$"):
        clean(list(zip(classes, contents, strict=True)))
    assert not (tmp_path / "cleaned").exists()


def test_a_second_run_writes_the_same_and_the_source_is_left_alone(clean, draw, tmp_path):
    pictures = [("cat", encode(draw(n % 3, (64 + n, 64)))) for n in range(6)] + [
        ("dog", b"no"),
        ("dog", encode(draw(0))),
    ]
    clean(pictures)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    clean(pictures)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_order_of_the_source_makes_no_difference(clean, draw, tmp_path):
    sizes = [(64, 48), (128, 96), (64, 48), (96, 72)]
    pictures = [("cat", encode(draw(n % 2, size))) for n, size in enumerate(sizes)]
    tables = [clean(order)[1]["image_id"].tolist() for order in (pictures, pictures[::-1])]
    assert tables[0] == tables[1]


def test_every_column_of_the_source_is_passed_on(clean, draw):
    _, kept, _ = clean([("007", encode(draw(0)))])
    assert kept.columns.tolist() == ["image_id", "class", "source_id", "width", "height", "file", "phash", "group"]
    assert kept["class"].tolist() == ["007"]
