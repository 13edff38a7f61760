import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.tables import read_table
from stages.images.decisions import COLUMNS, DECISIONS, Decision, read_decisions
from stages.review.decision_file import append, mend

HEADER = "image_id,decision,class,reason,time\n"
NOON = "2026-11-21T12:00:00Z"
# `both` was collected in two classes, `one` in two rows of one class.
IMAGES = pd.DataFrame({
    "image_id": ["one", "one", "both", "both", "other"],
    "class": ["cat", "cat", "cat", "dog", "ape"],
})  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review.csv"


@pytest.fixture
def read(path):
    """Return a function that reads a table of rows, with the time added to each."""

    def read(*rows, images=IMAGES):
        path.write_text(HEADER + "".join(f"{row},{NOON}\n" for row in rows))
        return read_decisions(path, images)

    return read


def summary(decisions):
    return {image_id: (each.decision, each.class_) for image_id, each in decisions.items()}


def test_a_table_without_decisions_has_none(read):
    assert read() == {}


def test_a_decision_comes_back_with_all_of_its_fields(read):
    assert read('one,reject,cat,"blurred, dark"') == {"one": Decision("one", "reject", "cat", "blurred, dark", NOON)}


def test_the_table_in_the_repository_has_the_header(root):
    assert (root / "data" / "review.csv").read_text().startswith(HEADER)


@pytest.mark.parametrize(
    "row", ["one,keep,cat,", "one,reject,cat,", "one,move,dog,", "both,keep,dog,", "both,reject,cat,"]
)
def test_each_decision_stands(read, row):
    image_id, decision, class_, _ = row.split(",")
    assert summary(read(row)) == {image_id: (decision, class_)}


@pytest.mark.parametrize("undo", ["one,undo,,", "one,undo,cat,", "one,undo,no class,whatever"])
def test_an_undone_decision_does_not_stand(read, undo):
    assert read("one,keep,cat,", undo) == {}


def test_after_an_undo_another_decision_stands(read):
    assert summary(read("one,keep,cat,", "one,undo,,", "one,move,ape,")) == {"one": ("move", "ape")}


def test_an_undo_leaves_the_decisions_on_other_images(read):
    assert summary(read("other,keep,ape,", "one,keep,cat,", "one,undo,,")) == {"other": ("keep", "ape")}


def test_decisions_stand_in_the_order_of_the_file(read):
    assert list(read("other,keep,ape,", "one,keep,cat,", "both,keep,dog,", "other,undo,,", "other,keep,ape,")) == [
        "one",
        "both",
        "other",
    ]


def test_the_same_decision_twice_is_one_whatever_its_reason_and_one_undo_cancels_it(read):
    assert read("one,reject,cat,dark", "one,reject,cat,")["one"].reason == "dark"
    assert read("one,reject,cat,dark", "one,reject,cat,", "one,undo,,") == {}


@pytest.mark.parametrize("second", ["both,reject,cat,", "both,keep,dog,", "both,move,cat,"])
def test_two_different_decisions_without_an_undo_between_are_an_error_with_both_lines(read, second):
    message = rf"review\.csv line 4: expected an undo of line 2 \(keep cat\) .* both, got {second.split(',')[1]}"
    with pytest.raises(ValueError, match=message):
        read("both,keep,cat,", "other,keep,ape,", second)


@pytest.mark.parametrize(
    "undo", [["one,undo,,"], ["one,keep,cat,", "one,undo,,", "one,undo,,"], ["other,keep,ape,", "one,undo,,"]]
)
def test_an_undo_without_a_standing_decision_is_an_error(read, undo):
    message = rf"line {len(undo) + 1}: expected a standing decision to undo, got none on one\.$"
    with pytest.raises(ValueError, match=message):
        read(*undo)


@pytest.mark.parametrize("decision", DECISIONS[:-1])
def test_a_decision_on_an_image_that_is_gone_waits_and_can_be_undone(read, decision):
    row = f"stranger,{decision},whatever,"
    assert summary(read("one,keep,cat,", row)) == {"one": ("keep", "cat"), "stranger": (decision, "whatever")}
    assert read(row, "stranger,undo,,") == {}
    with pytest.raises(ValueError, match=r"line 3: expected an undo of line 2"):
        read(row, "stranger,reject,other,")


@pytest.mark.parametrize("row", ["one,keep,dog,", "one,reject,ape,", "one,keep,,", "one,keep,Cat,"])
def test_an_image_is_kept_or_rejected_only_in_a_class_that_it_was_collected_in(read, row):
    decision, class_ = row.split(",")[1:3]
    with pytest.raises(ValueError, match=rf"line 2: expected a class of cat to {decision}, got '{class_}'\.$"):
        read(row)


@pytest.mark.parametrize("class_", ["bird", "", "dog "])
def test_an_image_moves_only_to_a_class_that_exists(read, class_):
    with pytest.raises(ValueError, match=rf"line 2: expected a class of ape, cat, dog to move, got '{class_}'\.$"):
        read(f"one,move,{class_},")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "expected 5 fields (image_id,decision,class,reason,time), got 0."),
        (f"one,keep,cat,{NOON}", "expected 5 fields (image_id,decision,class,reason,time), got 4."),
        (f"one,keep,cat,dark, small,{NOON}", "expected 5 fields (image_id,decision,class,reason,time), got 6."),
        ("<<<<<<< HEAD", "expected 5 fields (image_id,decision,class,reason,time), got 1."),
        (f",keep,cat,,{NOON}", "expected an image_id, got an empty one."),
        (f"one,kep,cat,,{NOON}", "expected a decision of keep, reject, move, undo, got 'kep'."),
        (f"one,,cat,,{NOON}", "expected a decision of keep, reject, move, undo, got ''."),
        (f"one,Keep,cat,,{NOON}", "expected a decision of keep, reject, move, undo, got 'Keep'."),
        (f'one,keep,"cat,,{NOON}', "expected a row of CSV in UTF-8, got unexpected end of data."),
        (f'one,keep,"cat"x,,{NOON}', "expected a row of CSV in UTF-8, got ',' expected after '\"'."),
    ],
)
def test_what_is_no_row_is_an_error_with_its_line(path, row, message):
    path.write_text(f"{HEADER}other,keep,ape,,{NOON}\n{row}\none,keep,cat,,{NOON}\n")
    with pytest.raises(ValueError) as caught:
        read_decisions(path, IMAGES)
    assert str(caught.value) == f"{path} line 3: {message}"


def test_what_is_no_utf_8_is_an_error_with_its_line(path):
    path.write_bytes(HEADER.encode() + b"one,reject,cat,\xff," + NOON.encode() + b"\n")
    with pytest.raises(ValueError, match=r"line 2: expected a row of CSV in UTF-8, got 'utf-8' codec can't decode"):
        read_decisions(path, IMAGES)


@pytest.mark.parametrize("time", ["2024-02-29T00:00:00Z", "2026-12-31T23:59:59Z", NOON])
def test_a_time_of_the_calendar_is_taken(path, time):
    path.write_text(f"{HEADER}one,keep,cat,,{time}\n")
    assert read_decisions(path, IMAGES)["one"].time == time


@pytest.mark.parametrize(
    "time",
    [
        "", "2026-11-21 12:00:00Z", "2026-11-21T12:00:00", "2026-11-21T12:00Z",
        "2026-11-21T12:00:00+00:00", "2026-11-21T12:00:00.5Z", "2026-02-30T12:00:00Z", "2023-02-29T00:00:00Z",
        "2026-11-21T24:00:00Z", "2026-1-21T12:00:00Z",
        " 2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z ", "٢٠٢٦-11-21T12:00:00Z", "26-11-21T12:00:00Z",
    ],
)  # fmt: skip
def test_any_other_time_is_an_error(path, time):
    path.write_text(f"{HEADER}one,keep,cat,,{time}\n")
    with pytest.raises(ValueError, match=r"line 2: expected a time in UTC like 2026-11-21T12:00:00Z, got "):
        read_decisions(path, IMAGES)


@pytest.mark.parametrize(
    "header",
    ["", "\n", "image_id,decision,class,time,reason\n", "image_id,decision,class,reason\n", f"one,keep,cat,,{NOON}\n"],
)
def test_another_header_is_an_error(path, header):
    path.write_text(header)
    with pytest.raises(ValueError, match=r"line 1: expected the columns image_id,decision,class,reason,time, got '"):
        read_decisions(path, IMAGES)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HEADER.encode() + f"one,keep,cat,,{NOON}\n".encode(),
        (HEADER + f"one,keep,cat,,{NOON}\n").replace("\n", "\r\n").encode(),
        (HEADER + f'"one","keep","cat","","{NOON}"\n').encode(),
        (HEADER + f"one,keep,cat,,{NOON}").encode(),
        (HEADER + f"one,keep,cat,,{NOON}").replace("\n", "\r\n").encode(),
    ],
    ids=["byte order mark", "CRLF", "quotes", "no newline at the end", "CRLF, none at the end"],
)
def test_what_other_programs_save_is_read(path, content):
    path.write_bytes(content)
    assert summary(read_decisions(path, IMAGES)) == {"one": ("keep", "cat")}


def test_a_missing_file_is_one_line(path):
    with pytest.raises(FileNotFoundError, match=r"review\.csv: expected a table of decisions, got no such file\.$"):
        read_decisions(path, IMAGES)


def test_the_header_is_the_columns():
    assert ",".join(COLUMNS) + "\n" == HEADER


def test_an_appended_decision_is_one_line_more_and_the_lines_before_stay(path):
    path.write_text(HEADER + f"other,keep,ape,,{NOON}\n")
    append(path, Decision("one", "reject", "cat", "dark", NOON))
    assert path.read_text() == HEADER + f"other,keep,ape,,{NOON}\none,reject,cat,dark,{NOON}\n"


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
def test_a_newline_in_the_reason_becomes_a_space(path, newline):
    path.write_text(HEADER)
    append(path, Decision("one", "reject", "cat", f"dark{newline}small", NOON))
    assert read_decisions(path, IMAGES)["one"].reason == "dark small"


def test_nothing_is_appended_to_a_missing_file(path):
    with pytest.raises(FileNotFoundError):
        append(path, Decision("one", "keep", "cat", "", NOON))
    assert not path.exists()


def test_a_line_that_another_program_left_open_is_not_continued(path):
    path.write_text(HEADER + f"other,keep,ape,,{NOON}")
    append(path, Decision("one", "keep", "cat", "", NOON))
    assert summary(read_decisions(path, IMAGES)) == {"other": ("keep", "ape"), "one": ("keep", "cat")}


def test_pandas_reads_what_was_appended(path):
    path.write_text(HEADER)
    decision = Decision("one", "reject", "cat", 'a "quoted", odd\nreason', NOON)
    append(path, decision)
    assert read_table(path).to_dict("records") == [{
        "image_id": "one", "decision": "reject", "class": "cat", "reason": 'a "quoted", odd reason', "time": NOON,
    }]  # fmt: skip


# Every character but lone surrogates, which UTF-8 cannot hold; class names hold no line break.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1, max_size=12)


@settings(max_examples=40)
@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(DECISIONS), st.integers(0, 2), texts)), data=st.data()
)
def test_any_sequence_of_decisions_and_undos_is_read_back(tmp_path_factory, steps, data):
    path = tmp_path_factory.mktemp("any") / "review.csv"
    path.write_text(HEADER)
    classes = data.draw(st.lists(names, min_size=3, max_size=3, unique=True))
    images = pd.DataFrame({"image_id": list("abcd"), "class": [*classes, classes[0]]})
    expected, rows = {}, 0
    for image, decision, class_, reason in steps:
        image_id, home = images["image_id"][image], images["class"][image]
        row = Decision(image_id, decision, classes[class_] if decision == "move" else home, reason, NOON)
        if (decision == "undo") != (image_id in expected):
            continue
        append(path, row)
        rows += 1
        if decision == "undo":
            del expected[image_id]
        else:
            spaced = reason.replace("\r\n", " ").replace("\r", " ").replace("\n", " ")
            expected[image_id] = Decision(image_id, decision, row.class_, spaced, NOON)
    assert read_decisions(path, images) == expected
    assert list(read_decisions(path, images)) == list(expected)
    assert mend(path) == ""
    assert path.read_bytes().count(b"\n") == 1 + rows


@settings(max_examples=40)
@given(reason=texts, class_=names, data=st.data())
def test_a_write_cut_anywhere_is_mended_and_loses_at_most_its_own_row(tmp_path_factory, reason, class_, data):
    path = tmp_path_factory.mktemp("cut") / "review.csv"
    path.write_text(HEADER)
    images = pd.DataFrame({"image_id": ["first", "last"], "class": [class_, class_]})
    first = Decision("first", "reject", class_, "ä", NOON)
    append(path, first)
    before = path.read_bytes()
    append(path, Decision("last", "reject", class_, reason, NOON))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(len(before), len(whole)))])
    cut = path.read_bytes()
    if len(before) < len(cut) < len(whole) - 1:
        with pytest.raises(ValueError, match=r"line 3: expected a whole row, .* `python -m stages.review` mends it\.$"):
            read_decisions(path, images)
        assert mend(path) == cut[len(before) :].decode(errors="replace")
        assert path.read_bytes() == before
    else:
        assert mend(path) == ""
        assert path.read_bytes() == (before if cut == before else whole)
    assert read_decisions(path, images)["first"] == first
    if len(cut) < len(whole) - 1:
        append(path, Decision("last", "keep", class_, "", NOON))
    assert set(read_decisions(path, images)) == {"first", "last"}


def test_mending_a_whole_table_changes_no_byte(path):
    path.write_text(HEADER + f"one,keep,cat,,{NOON}\n")
    before = path.read_bytes()
    assert mend(path) == ""
    assert path.read_bytes() == before


def test_mending_adds_the_newline_that_a_whole_row_lacks(path):
    path.write_text(HEADER + f"one,keep,cat,,{NOON}")
    assert mend(path) == ""
    assert path.read_text() == HEADER + f"one,keep,cat,,{NOON}\n"


def test_mending_adds_the_newline_that_the_header_lacks(path):
    path.write_text(HEADER.strip())
    assert mend(path) == ""
    assert path.read_text() == HEADER


def test_mending_leaves_a_bad_row_that_was_written_to_its_end(path):
    content = HEADER + f"one,kep,cat,,{NOON}\n"
    path.write_text(content)
    assert mend(path) == ""
    assert path.read_text() == content


def test_a_row_cut_before_others_came_is_an_error_and_harms_none_of_them(path):
    path.write_text(HEADER + "one,kee")
    append(path, Decision("other", "keep", "ape", "", NOON))
    with pytest.raises(ValueError, match=r"line 2: expected 5 fields"):
        read_decisions(path, IMAGES)
    assert path.read_text() == HEADER + f"one,kee\nother,keep,ape,,{NOON}\n"


APPENDER = """
import itertools, sys
from pathlib import Path
from stages.images.decisions import Decision
from stages.review.decision_file import append, writing_alone
path, name = Path(sys.argv[1]), sys.argv[2]
for number in itertools.count():
    with writing_alone(path):
        append(path, Decision(f"{name}{number}", "reject", "cat", "because " * 20, "2026-11-21T12:00:00Z"))
    print(number, flush=True)
"""


def start_appending(path, root, name):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", APPENDER, str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill_after(process, rows):
    """Kill the process when it has reported `rows` rows, and return how many it has reported in the end."""
    with process:
        for _ in range(rows):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        return rows + process.stdout.read().count("\n")


@pytest.mark.parametrize("rows", [1, 40])
def test_every_reported_row_survives_the_kill_of_its_writer(path, root, rows):
    path.write_text(HEADER)
    done = kill_after(start_appending(path, root, "a"), rows)
    mend(path)
    images = pd.DataFrame({"image_id": [f"a{number}" for number in range(done + 1)], "class": "cat"})
    read = list(read_decisions(path, images))
    assert read in ([f"a{number}" for number in range(done)], [f"a{number}" for number in range(done + 1)])


def test_two_writers_at_once_lose_no_row(path, root):
    path.write_text(HEADER)
    writers = [start_appending(path, root, name) for name in "ab"]
    for writer in writers:
        writer.stdout.readline()
    done = [1 + kill_after(writer, 40) for writer in writers]
    mend(path)
    images = pd.DataFrame({"image_id": [f"{n}{i}" for n, d in zip("ab", done, strict=True) for i in range(d + 1)]})
    read = set(read_decisions(path, images.assign(**{"class": "cat"})))
    assert {f"{n}{i}" for n, d in zip("ab", done, strict=True) for i in range(d)} <= read
