import importlib.util
import io
import zipfile

import joblib
import pytest
from PIL import Image

from stages.collect.run import Collect
from stages.collect.run import run as collect
from stages.core import params
from stages.core.tables import read_table

SVG = """<svg xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns="http://web.resource.org/cc/"><rdf:RDF><Work><dc:title>A
   cat</dc:title><dc:creator><Agent><dc:title> Ann,  "A" </dc:title></Agent></dc:creator>
 {licence}</Work></rdf:RDF></svg>"""
BY = "http://creativecommons.org/licenses/by/2.0/"
PUBLIC_DOMAIN = "http://web.resource.org/cc/PublicDomain"


@pytest.fixture(scope="module")
def make_clipart(root):
    spec = importlib.util.spec_from_file_location("make_clipart", root / "data" / "0_embedded" / "make_clipart.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def collection(tmp_path_factory, draw):
    """Write a tree like Debian's, with each of its oddities."""
    root = tmp_path_factory.mktemp("openclipart")
    names = ("animals/cat", "animals/deep/dog._01", "food/pie", "people/man", "signs/x")
    for seed, name in enumerate(names):
        path = root / "png" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(seed, (300, 60) if seed == 0 else (30, 20), "RGBA").save(path)
    (root / "png" / "food" / "link.png").symlink_to("pie.png")
    (root / "png" / "food" / "notes.txt").touch()
    svgs = {
        "animals/cat": SVG.format(licence=f'<license rdf:resource="{BY}"/>'),
        "animals/deep/dog._01": SVG.format(licence=f'<license rdf:resource="{PUBLIC_DOMAIN}"/>'),
        "food/pie": "<svg><broken",
        "people/man": "<svg/>",
    }
    for name, text in svgs.items():
        path = root / "svg" / f"{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(scope="module")
def archive(make_clipart, collection):
    with joblib.parallel_config(backend="sequential"):
        make_clipart.make(collection, collection / "clipart.zip")
    return collection / "clipart.zip"


@pytest.fixture
def rows(archive, tmp_path):
    with zipfile.ZipFile(archive) as stream:
        (tmp_path / "images.csv").write_bytes(stream.read("images.csv"))
    return read_table(tmp_path / "images.csv").set_index("file")


def test_the_archive_holds_the_table_and_the_drawings_of_the_classes(archive):
    with zipfile.ZipFile(archive) as stream:
        assert stream.namelist() == [
            "images.csv", "animals/cat.webp", "animals/deep/dog._01.webp", "food/link.webp", "food/pie.webp",
            "people/man.webp",
        ]  # fmt: skip


@pytest.mark.slow
def test_the_archive_is_the_same_bytes_each_time(make_clipart, archive, collection):
    with joblib.parallel_config(backend="sequential"):
        make_clipart.make(collection, collection / "again.zip")
    assert (collection / "again.zip").read_bytes() == archive.read_bytes()
    assert not list(collection.glob("*.part"))


def test_a_drawing_is_shrunk_without_loss(archive, draw):
    with zipfile.ZipFile(archive) as stream, Image.open(io.BytesIO(stream.read("animals/cat.webp"))) as image:
        expected = draw(0, (300, 60), "RGBA")
        expected.thumbnail((256, 256), Image.Resampling.LANCZOS)
        assert (image.format, image.size) == ("WEBP", (256, 51))
        assert image.convert("RGBA").tobytes() == expected.tobytes()


def test_a_small_drawing_with_transparency_keeps_its_pixels(make_clipart, tmp_path):
    image = Image.new("RGBA", (20, 10), (255, 0, 0, 128))
    image.save(tmp_path / "small.png")
    with Image.open(io.BytesIO(make_clipart.shrink(tmp_path / "small.png"))) as shrunk:
        assert (shrunk.size, shrunk.getpixel((0, 0))) == ((20, 10), (255, 0, 0, 128))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("animals/cat.webp", ("animals", "A cat", 'Ann, "A"', "see licence_url", BY)),
        ("animals/deep/dog._01.webp", ("animals", "A cat", 'Ann, "A"', "public domain", PUBLIC_DOMAIN)),
        ("food/link.webp", ("food", "", "", "public domain", PUBLIC_DOMAIN)),
        ("food/pie.webp", ("food", "", "", "public domain", PUBLIC_DOMAIN)),
        ("people/man.webp", ("people", "", "", "public domain", PUBLIC_DOMAIN)),
    ],
)
def test_a_row_tells_where_the_drawing_comes_from(rows, file, expected):
    assert tuple(rows.loc[file, ["class", "title", "author", "licence", "licence_url"]]) == expected
    assert rows.loc[file, "source_id"] == f"openclipart-png/{file.removesuffix('.webp')}.png"


def test_collect_takes_the_whole_archive(archive, project, tmp_path):
    project("collect.source", str(archive))
    counts = collect(params.read(Collect, "collect"), tmp_path / "raw")
    del counts["sources"]
    assert counts == {"listed": 5, "kept": 5, "failed": {}, "classes": {"animals": 2, "food": 2, "people": 1}}
