import pandas as pd
import pytest

from stages.core.tables import read_table, write_table


@pytest.mark.parametrize("name", ["NA", "007", "", "null", "None", "nan", "1e3", "True", "ein Tier, klein", 'say "ä"'])
def test_every_class_name_comes_back_as_it_was(tmp_path, name):
    table = pd.DataFrame({"class": [name, "x"], "file": ["a", "b"]})
    write_table(table, tmp_path / "table.csv")
    assert read_table(tmp_path / "table.csv").to_dict("list") == table.to_dict("list")


def test_a_table_is_the_same_bytes_on_every_system(tmp_path):
    write_table(pd.DataFrame({"a": [1], "b": ["x"]}), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == b"a,b\n1,x\n"


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbffile,class\na,b\n", b"file,class\r\na,b\r\n", b"file,class\na,b", b'"file","class"\na,b\n'],
)
def test_tables_of_other_programs_are_read(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    assert read_table(tmp_path / "table.csv").to_dict("list") == {"file": ["a"], "class": ["b"]}


@pytest.mark.parametrize(
    "content",
    [b"", b"file,class\na,b,c,d\n", b'file,class\n"a,b\n', b"file,class\n\xff,b\n"],
    ids=["empty", "too many fields", "open quote", "not UTF-8"],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.csv: expected a CSV table, got "):
        read_table(tmp_path / "table.csv")


def test_a_row_with_one_field_too_many_does_not_shift_the_others(tmp_path):
    (tmp_path / "table.csv").write_text("file,class\na.png,cat,\nb.png,dog,\n")
    try:
        table = read_table(tmp_path / "table.csv")
    except ValueError:
        return
    assert table["file"].tolist() == ["a.png", "b.png"]


def test_a_row_with_one_field_too_few_has_texts_only(tmp_path):
    (tmp_path / "table.csv").write_text("file,class,title\na.png,cat\n")
    try:
        table = read_table(tmp_path / "table.csv")
    except ValueError:
        return
    assert table.to_dict("list") == {"file": ["a.png"], "class": ["cat"], "title": [""]}


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv: expected a table, got no such file\.$"):
        read_table(tmp_path / "none.csv")


def test_a_missing_column_is_named(tmp_path):
    (tmp_path / "table.csv").write_text("file,class\na,b\n")
    read_table(tmp_path / "table.csv", "class", "file")
    expected = r"table\.csv: expected the columns file, split, group, got no split, group\.$"
    with pytest.raises(ValueError, match=expected):
        read_table(tmp_path / "table.csv", "file", "split", "group")


@pytest.mark.parametrize(
    "content", [b"<<<<<<< HEAD\nfile,class\n", b"file,class\na,b\n<<<<<<< HEAD\nc,d\n=======\ne,f\n>>>>>>> other\n"]
)
def test_the_marks_of_a_merge_conflict_are_no_rows(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    expected = r"table\.csv: expected a CSV table, got one with the marks of a merge conflict\.$"
    with pytest.raises(ValueError, match=expected):
        read_table(tmp_path / "table.csv")


def test_marks_inside_a_row_are_a_persons_text(tmp_path):
    (tmp_path / "table.csv").write_text("file,class\n<<<<<<<,a <<<<<<< b\n")
    assert read_table(tmp_path / "table.csv").to_dict("list") == {"file": ["<<<<<<<"], "class": ["a <<<<<<< b"]}
