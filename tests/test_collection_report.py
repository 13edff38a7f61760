import pandas as pd
import pytest
from PIL import Image

from stages import collection_report
from stages.collection_report import CollectionReport, count_smaller, measure_extents, run
from stages.core.tables import read_table

RED, BLUE = (200, 0, 0), (0, 0, 200)
SETTINGS = CollectionReport(input_sizes=[100, 50], per_class=4)


def write_raw(tmp_path):
    """Write six red cats of 40x20, six blue dogs of 100x200, and a file that is not an image."""
    rows = []
    for name, colour, size in (("cat", RED, (40, 20)), ("dog", BLUE, (100, 200))):
        (tmp_path / "raw" / name).mkdir(parents=True)
        for number in range(6):
            file = f"{name}/{number}.png"
            Image.new("RGB", size, colour).save(tmp_path / "raw" / file)
            rows.append([f"{name}{number}", name, f"from/{file}", file, *size])
    (tmp_path / "raw" / "dog" / "none.bin").write_bytes(b"none")
    rows.append(["none", "dog", "from/none.bin", "dog/none.bin", 0, 0])
    columns = ["image_id", "class", "source_id", "file", "width", "height"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "raw" / "images.csv", index=False)
    return tmp_path / "raw"


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    run(SETTINGS, write_raw(folder), folder / "report")
    return folder / "report"


def colours(path):
    with Image.open(path) as sheet:
        return {colour for _, colour in sheet.convert("RGB").getcolors(1 << 24)}


def test_each_class_has_a_sheet_of_its_own_images(report):
    sheets = {path.stem: colours(path) for path in (report / "sheets").iterdir()}
    assert set(sheets) == {"cat", "dog"}
    assert RED in sheets["cat"] and BLUE not in sheets["cat"]
    assert BLUE in sheets["dog"] and RED not in sheets["dog"]


def test_of_very_many_classes_the_largest_have_sheets(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(collection_report, "MOST_SHEETS", 1)
    run(SETTINGS, write_raw(tmp_path), tmp_path / "report")
    assert [path.name for path in (tmp_path / "report" / "sheets").iterdir()] == ["dog.png"]
    assert capsys.readouterr().out == "collection_report: sheets of the 1 largest of 2 classes.\n"


def test_the_shares_of_smaller_images_are_those_of_the_shorter_side(report):
    assert read_table(report / "smaller.csv").to_numpy().tolist() == [
        ["cat", "6", "1.0", "1.0"],
        ["dog", "6", "0.0", "0.0"],
        ["all", "12", "0.5", "0.5"],
    ]


@pytest.mark.parametrize(("size", "share"), [(20, 0.0), (21, 1.0)])
def test_an_image_of_exactly_the_size_is_not_smaller(size, share):
    images = pd.DataFrame({"class": ["cat"], "width": ["20"], "height": ["30"]})
    assert count_smaller(measure_extents(images), [size])[f"below_{size}"].tolist() == [share, share]


def test_a_class_called_all_is_told_from_all_classes():
    images = pd.DataFrame({"class": ["all", "b", "b"], "width": ["9", "99", "99"], "height": ["9", "99", "99"]})
    smaller = count_smaller(measure_extents(images), [50])
    assert smaller.to_numpy().tolist() == [["all", 1, 1.0], ["b", 2, 0.0], ["all", 3, 0.3333]]


def test_aspect_is_width_over_height_and_what_is_no_image_is_left_out():
    images = pd.DataFrame({"class": ["cat", "cat"], "width": ["40", "0"], "height": ["20", "0"]})
    assert measure_extents(images)["aspect"].tolist() == [2.0]


@pytest.mark.slow
def test_the_figure_is_drawn_for_one_class_and_for_many(raw, tmp_path):
    for number in (1, 12):
        table = read_table(raw / "images.csv")
        table["class"] = [f"class {row % number}" for row in range(len(table))]
        (tmp_path / "other").mkdir(exist_ok=True)
        for file in table["file"]:
            (tmp_path / "other" / file).parent.mkdir(exist_ok=True)
            (tmp_path / "other" / file).write_bytes((raw / file).read_bytes())
        table.to_csv(tmp_path / "other" / "images.csv", index=False)
        run(SETTINGS, tmp_path / "other", tmp_path / "report")
        with Image.open(tmp_path / "report" / "extents.png") as figure:
            assert min(figure.size) > 500
        assert len(list((tmp_path / "report" / "sheets").iterdir())) == number


@pytest.mark.slow
def test_a_second_run_changes_no_byte(report, raw, tmp_path):
    run(SETTINGS, raw, tmp_path / "again")
    for path in report.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(report)).read_bytes()


def test_without_an_image_it_says_so(raw, tmp_path):
    table = read_table(raw / "images.csv").assign(width="0", height="0")
    table.to_csv(raw / "images.csv", index=False)
    with pytest.raises(ValueError, match=r"images\.csv: expected images with a width and a height, got 13 without\.$"):
        run(SETTINGS, raw, tmp_path / "report")
