import threading

import pytest

from stages.core.tables import read_table
from stages.images.decisions import Decision, read_decisions
from stages.review.decision_file import append
from stages.review.session import Session
from tests.review.study import HEADER, NOON, STUDY, Api, rows


def test_rows_of_another_process_are_noticed(api, paths):
    assert api.page()["standing"] == 0
    append(paths.reviews, Decision("dog1", "move", "cat", "", NOON))
    assert api.shown("decided") == ["dog1"]
    api.decide("dog1", "keep", "dog")
    assert rows(paths) == ["dog1,move,cat,", "dog1,undo,,", "dog1,keep,dog,"]


def test_two_sessions_on_one_table_leave_it_valid(api, paths):
    other = Api(paths)
    for number in range(6):
        (api, other)[number % 2].decide("cat1", ("keep", "reject")[number % 2], "cat")
    assert api.page()["standing"] == other.page()["standing"] == 1
    assert len(rows(paths)) == 11
    api.decide("", "undo")
    assert other.post({"decision": "undo"}).status_code == 409


def test_decisions_that_come_at_once_are_all_written(paths):
    sessions = [Session(paths), Session(paths)]
    ids = sorted({image_id for image_id, class_, _ in STUDY if class_ == "cat"})

    def decide(number):
        for image_id in ids:
            sessions[number % 2].decide(image_id, ("keep", "reject")[number % 2], "cat", "")

    threads = [threading.Thread(target=decide, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    standing = read_decisions(paths.reviews, read_table(paths.raw / "images.csv"))
    assert sorted(standing) == ids


def test_a_table_spoiled_by_another_program_is_shown_as_such_and_takes_no_decision_until_mended(api, paths):
    api.decide("cat1", "keep", "cat")
    good = paths.reviews.read_text()
    spoiled = good + "<<<<<<< HEAD\n"
    paths.reviews.write_text(spoiled)
    page = api.page("decided")
    assert page["problem"].startswith(f"{paths.reviews} line 3: expected 5 fields")
    assert [tile["image_id"] for tile in page["tiles"]] == ["cat1"]
    reply = api.post({"image_id": "dog1", "decision": "keep", "class": "dog"})
    assert (reply.status_code, reply.json["error"]) == (409, page["problem"])
    assert paths.reviews.read_text() == spoiled
    paths.reviews.write_text(good)
    assert api.page()["problem"] == ""
    assert api.decide("dog1", "keep", "dog")["standing"] == 2


def test_a_row_cut_by_a_kill_is_dropped_before_the_next_decision_and_named(api, paths, capsys):
    api.decide("cat1", "keep", "cat")
    with paths.reviews.open("a") as stream:
        stream.write("dog1,mov")
    assert "`python -m stages.review` mends it" in api.page()["problem"]
    assert api.decide("dog1", "keep", "dog")["dropped"] == "dog1,mov"
    assert rows(paths) == ["cat1,keep,cat,", "dog1,keep,dog,"]
    assert "dropped the last row, not written to its end: dog1,mov" in capsys.readouterr().err


def test_a_row_cut_by_a_kill_is_dropped_at_the_start(paths):
    paths.reviews.write_text(HEADER + f"cat1,keep,cat,,{NOON}\ndog1,mo")
    assert Api(paths).page()["dropped"] == "dog1,mo"
    assert rows(paths) == ["cat1,keep,cat,"]


def test_new_tables_of_clean_are_noticed(api, paths):
    rejected = paths.cleaned / "rejected.csv"
    rejected.write_text(rejected.read_text().replace("near-duplicate", "blurred"))
    assert [tile["reason"] for tile in api.page("rejected", **{"class": "cat"})["tiles"]] == ["blurred", "conflict"]


def test_where_new_images_lack_a_decided_one_its_decision_waits_and_can_be_undone(api, paths):
    api.decide("dog2", "keep", "dog")
    images = paths.raw / "images.csv"
    images.write_text("".join(line for line in images.read_text().splitlines(True) if not line.startswith("dog2")))
    for name in ("kept", "rejected"):
        table = paths.cleaned / f"{name}.csv"
        table.write_text("".join(line for line in table.read_text().splitlines(True) if not line.startswith("dog2")))
    page = api.page("decided")
    assert (page["problem"], page["standing"], page["waiting"], page["tiles"]) == ("", 1, 1, [])
    api.decide("cat1", "keep", "cat")
    assert api.decide("", "undo")["undone"]["image_id"] == "cat1"
    assert api.post({"decision": "undo"}).json == {"error": "undo: expected a standing decision, got none."}
    assert api.decide("dog2", "undo")["waiting"] == 0
    assert rows(paths)[-1] == "dog2,undo,,"


def test_a_missing_table_of_decisions_is_begun(paths):
    paths.reviews.unlink()
    assert Api(paths).page()["standing"] == 0
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize("content", ["", "image_id\n", HEADER + f"cat1,keep,dog,,{NOON}\n"])
def test_a_table_that_is_wrong_from_the_start_is_an_error_and_stays_as_it_is(paths, content):
    paths.reviews.write_text(content)
    with pytest.raises(ValueError, match=r"review\.csv line \d: expected"):
        Session(paths)
    assert paths.reviews.read_text() == content
