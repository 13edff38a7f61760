import pandas as pd
import pytest
from PIL import Image

from stages import contact_sheets
from stages.contact_sheets import draw_pair, group_sections, run
from stages.figures.sheets import GAP, MARGIN

IMAGES = ["image_id", "class", "source_id", "file"]
PAIRS = ["first", "second", "first_class", "second_class", "distance", "similarity", "changed", "form", "relation"]
RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture
def cleaned(tmp_path):
    """Write a red image that was kept, a blue one that was rejected, and a file that is not an image."""
    for folder in ("raw", "cleaned"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (40, 20), RED).save(tmp_path / "raw" / "red.png")
    Image.new("RGB", (40, 20), BLUE).save(tmp_path / "raw" / "blue.png")
    (tmp_path / "raw" / "none.png").write_bytes(b"none")
    rows = [["a", "cat", "from/red.png", "red.png"], ["b", "dog", "from/blue.png", "blue.png"]]
    rows.append(["c", "dog", "from/none.png", "none.png"])
    pd.DataFrame(rows[:1], columns=IMAGES).assign(group="a").to_csv(tmp_path / "cleaned" / "kept.csv", index=False)
    rejected = pd.DataFrame(rows[1:], columns=IMAGES).assign(reason=["conflict", "unreadable"], detail="why")
    rejected.to_csv(tmp_path / "cleaned" / "rejected.csv", index=False)
    pairs = pd.DataFrame([["a", "b", "cat", "dog", 0, 0.95, 0.02, "plain", "same"]], columns=PAIRS)
    pairs.to_csv(tmp_path / "cleaned" / "pairs.csv", index=False)
    return tmp_path


def pixels(path):
    with Image.open(path) as sheet:
        return {color for _, color in sheet.convert("RGB").getcolors(1 << 24)}


def test_each_sheet_shows_the_images_of_its_table(cleaned):
    run(cleaned / "raw", cleaned / "cleaned", cleaned / "sheets")
    shown = {name: pixels(cleaned / "sheets" / f"{name}.png") for name in ("kept", "rejected", "pairs")}
    assert RED in shown["kept"] and BLUE not in shown["kept"]
    assert BLUE in shown["rejected"] and RED not in shown["rejected"]
    assert {RED, BLUE} <= shown["pairs"]


def test_of_very_many_classes_the_largest_are_shown(cleaned, monkeypatch, capsys):
    table = pd.read_csv(cleaned / "cleaned" / "kept.csv")
    both = pd.concat([table, table, table.assign(file="blue.png", **{"class": "bird"})])
    both.assign(image_id=list("abc")).to_csv(cleaned / "cleaned" / "kept.csv", index=False)
    monkeypatch.setattr(contact_sheets, "MOST_CLASSES", 1)
    run(cleaned / "raw", cleaned / "cleaned", cleaned / "sheets")
    shown = pixels(cleaned / "sheets" / "kept.png")
    assert RED in shown and BLUE not in shown
    assert capsys.readouterr().out == "contact_sheets: kept.png is of the 1 largest of 2 classes.\n"


def test_the_largest_groups_are_shown_those_in_several_classes_first(cleaned):
    kept = pd.read_csv(cleaned / "cleaned" / "kept.csv").loc[[0] * 6]
    kept = kept.assign(group=["single", "large", "large", "large", "mixed", "mixed"], image_id=list("abcdef"))
    kept["class"] = ["cat"] * 5 + ["dog"]
    assert [section.title for section in group_sections(kept, cleaned / "raw")] == [
        "mixed (cat, dog): 2 of 2 look-alikes", "large (cat): 3 of 3 look-alikes",
    ]  # fmt: skip
    for number, table in enumerate((kept.head(1), kept)):
        table.to_csv(cleaned / "cleaned" / "kept.csv", index=False)
        run(cleaned / "raw", cleaned / "cleaned", cleaned / "sheets")
        assert (RED in pixels(cleaned / "sheets" / "groups.png")) == bool(number)


def test_a_second_run_changes_no_byte(cleaned):
    for folder in ("one", "two"):
        run(cleaned / "raw", cleaned / "cleaned", cleaned / folder)
    for path in (cleaned / "one").iterdir():
        assert path.read_bytes() == (cleaned / "two" / path.name).read_bytes()


def test_without_rows_the_sheet_says_so(cleaned):
    table = cleaned / "cleaned" / "pairs.csv"
    table.write_text(",".join(PAIRS) + "\n")
    run(cleaned / "raw", cleaned / "cleaned", cleaned / "sheets")
    with Image.open(cleaned / "sheets" / "pairs.png") as sheet:
        assert sheet.height < 112 + 2 * MARGIN + GAP


def test_the_caption_of_a_pair_says_how_alike_its_images_are_and_how_much_is_changed():
    pair = pd.Series(dict(zip(PAIRS, ["a", "b", "hat", "hat", 4, 0.996, 0.456, "mirror", "look-alike"], strict=True)))
    twins = [{"source_id": f"hats/{name}.png"} for name in ("blue", "red")]
    caption = draw_pair(pair, twins, [Image.new("RGB", (8, 8))] * 2).captions
    assert caption == ("blue.png | red.png", "hat | hat", "1.00 alike, 46% changed, mirror")


def test_the_same_file_in_two_classes_is_one_pair(cleaned):
    pairs = pd.DataFrame([["a", "a", "cat", "dog", 0, 1.0, 0.0, "plain", "same"]], columns=PAIRS)
    pairs.to_csv(cleaned / "cleaned" / "pairs.csv", index=False)
    run(cleaned / "raw", cleaned / "cleaned", cleaned / "sheets")
    assert RED in pixels(cleaned / "sheets" / "pairs.png")
