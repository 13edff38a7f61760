import pandas as pd
import pytest

from stages.sources.listed_image import list_table, list_tree


def tree(*files):
    return [(image.source_id, image.class_, image.given_split) for image in list_tree(files)]


def test_the_first_folder_is_the_class():
    assert tree("dog/1.png", "cat/deep/2.png") == [("cat/deep/2.png", "cat", ""), ("dog/1.png", "dog", "")]


def test_files_are_sorted_whatever_order_they_come_in():
    files = ["b/2.png", "a/1.png", "b/1.png"]
    assert tree(*files) == tree(*reversed(files))


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"), ("training", "train"), ("Train", "train"),
        ("val", "val"), ("valid", "val"), ("validation", "val"), ("test", "test"), ("TEST", "test"),
    ],
)  # fmt: skip
def test_a_split_folder_gives_the_split_and_the_next_one_the_class(folder, split):
    assert tree(f"{folder}/cat/1.png") == [(f"{folder}/cat/1.png", "cat", split)]


def test_folders_are_splits_only_where_all_of_them_are():
    assert tree("other/cat/1.png", "train/cat/1.png") == [
        ("other/cat/1.png", "other", ""),
        ("train/cat/1.png", "train", ""),
    ]


def test_a_file_beside_the_split_folders_leaves_them_splits():
    assert tree("readme.txt", "train/cat/1.png") == [("readme.txt", "", ""), ("train/cat/1.png", "cat", "train")]


@pytest.mark.parametrize("file", ["1.png", "train/1.png"])
def test_a_file_outside_every_class_folder_has_no_class(file):
    assert tree(file)[0][1] == ""


@pytest.mark.parametrize(
    "file", [".hidden.png", "cat/.hidden.png", ".git/cat/1.png", "__MACOSX/cat/1.png", "cat/@eaDir/1.png"]
)
def test_hidden_files_are_left_out(file):
    assert tree(file, "cat/1.png") == [("cat/1.png", "cat", "")]


def test_hidden_folders_do_not_stop_folders_from_being_splits():
    assert tree(".git/config", "test/cat/1.png") == [("test/cat/1.png", "cat", "test")]


def test_an_empty_tree_lists_nothing():
    assert tree() == []


@pytest.mark.parametrize("file", ["../1.png", "../../etc/1.png", "cat/../1.png", "/1.png", "/etc/1.png"])
def test_no_class_leads_out_of_the_folder(file):
    assert [class_ for _, class_, _ in tree(file) if class_.strip("/") in ("", "..") and class_] == []


@pytest.mark.parametrize("name", ["NA", "007", "ein Tier", "日本"])
def test_any_folder_name_is_a_class(name):
    assert tree(f"{name}/1.png")[0][1] == name


def table(**columns):
    return pd.DataFrame(columns, dtype=str)


def test_a_row_carries_its_provenance():
    rows = table(
        file=["1.png"], **{"class": ["cat"]}, source_id=["shelf/1"], title=["Cat"], url=["u"], page_url=["p"],
        author=["A"], licence=["L"], licence_url=["l"], split=["test"],
    )  # fmt: skip
    [image] = list_table(rows, ["1.png", "images.csv"], "images.csv")
    assert (image.source_id, image.class_, image.member, image.given_split) == ("shelf/1", "cat", "1.png", "test")
    assert (image.title, image.url, image.page_url, image.author) == ("Cat", "u", "p", "A")
    assert (image.licence, image.licence_url) == ("L", "l")


@pytest.mark.parametrize("columns", [{}, {"source_id": [""]}])
def test_a_row_without_a_source_id_is_known_by_its_file(columns):
    [image] = list_table(table(file=["1.png"], **{"class": ["cat"]}, **columns), ["1.png"], "images.csv")
    assert image.source_id == "1.png"


def test_files_that_no_row_names_follow_without_a_class():
    rows = table(file=["b.png"], **{"class": ["cat"]})
    files = ["images.csv", "c.png", "b.png", "a.png", ".hidden", "deep/.hidden/d.png"]
    listed = [(image.source_id, image.class_) for image in list_table(rows, files, "images.csv")]
    assert listed == [("b.png", "cat"), ("a.png", ""), ("c.png", "")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"file": ["1.png"]}, r"^images\.csv: expected the columns file and class, got file\.$"),
        ({"class": ["cat"]}, r"^images\.csv: expected the columns file and class, got class\.$"),
        (
            {"file": ["1.png"], "class": ["cat"], "licens": ["L"]},
            r"^images\.csv: expected columns of author, class, file, .*, url, got licens\.$",
        ),
        (
            {"file": ["1.png", "2.png"], "class": ["cat", "cat"], "split": ["train", "dev"]},
            r"^images\.csv line 3: expected a split of train, val, test, got dev\.$",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(columns, message):
    with pytest.raises(ValueError, match=message):
        list(list_table(table(**columns), ["1.png"], "images.csv"))


@pytest.mark.parametrize("split", ["train", "val", "test", ""])
def test_a_row_may_have_any_split_or_none(split):
    rows = table(file=["1.png"], **{"class": ["cat"]}, split=[split])
    assert [image.given_split for image in list_table(rows, [], "images.csv")] == [split]
