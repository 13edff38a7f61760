"""Layouts in which data sets are published, and what their folders mean."""

from pathlib import PurePosixPath

import pytest

from stages.sources.tree_layout import describe_layout, find_layout

ROBIN_WREN = {("robin", ""), ("wren", "")}
SPLIT = {(name, split) for name in ("robin", "wren") for split in ("train", "test")}
LAYOUTS = {
    "classes": (["robin", "wren"], ROBIN_WREN, []),
    "one class": (["robin"], {("robin", "")}, []),
    "one class with a folder in it": (["robin/male"], {("robin", "")}, []),
    "a folder around": (["birds/robin", "birds/wren"], ROBIN_WREN, ["birds is around all others"]),
    "two folders around": (["a/b/robin", "a/b/wren"], ROBIN_WREN, ["a/b is around all others"]),
    "splits": (["train/robin", "train/wren", "Test/robin", "Test/wren"], SPLIT, []),
    "splits in a folder": (
        ["birds/train/robin", "birds/train/wren", "birds/test/robin", "birds/test/wren"], SPLIT,
        ["birds is around all others"],
    ),
    "splits beside another folder": (
        ["train/robin", "train/wren", "test/robin", "test/wren", "extra"], {*SPLIT, ("", "")},
        ["test, train are splits, so images in extra have no class"],
    ),
    "sets": (
        ["training_set/robin", "training_set/wren", "test_set/robin", "test_set/wren", "single_prediction"],
        {*SPLIT, ("", "")}, ["test_set, training_set are splits"],
    ),
    "doubled": (
        ["seg_train/seg_train/robin", "seg_train/seg_train/wren", "seg_test/seg_test/robin", "seg_test/seg_test/wren"],
        SPLIT, [],
    ),
    "a class called test": (["test/1", "exam/2"], {("test", ""), ("exam", "")}, []),
    "years around classes": (
        ["2019/robin", "2019/wren", "2020/robin", "2020/wren"], {("2019", ""), ("2020", "")},
        ["all of the classes 2019, 2020 hold the folders robin, wren"],
    ),
    "orders of species": (["passerine/robin", "gull/herring"], {("passerine", ""), ("gull", "")}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_folders_mean_what_their_author_meant_or_it_is_said(name):
    folders, expected, said = LAYOUTS[name]
    paths = [PurePosixPath(folder, f"{number}.png") for folder in folders for number in range(4)]
    layout = find_layout(paths)
    assert {layout.place(path) for path in paths} == expected
    lines = describe_layout(paths)
    assert len(lines) == len(said)
    assert all(text in line for text, line in zip(said, lines, strict=True))


def test_a_few_files_beside_the_folder_around_all_others_have_no_class():
    paths = [
        PurePosixPath(name) for name in ("birds/robin/1.png", "birds/wren/2.png", "licence.txt", "birds/about.txt")
    ]
    layout = find_layout(paths)
    assert [layout.place(path)[0] for path in paths] == ["robin", "wren", "", ""]


def test_many_images_in_the_only_folder_make_it_a_class():
    paths = [PurePosixPath("robin", f"{n}.png") for n in range(9)] + [PurePosixPath("robin/male/1.png")]
    assert {find_layout(paths).place(path) for path in paths} == {("robin", "")}
