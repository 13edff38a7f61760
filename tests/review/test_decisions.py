from datetime import UTC, datetime, timedelta

import pytest

from stages.core.tables import read_table
from stages.images.decisions import read_decisions
from tests.review.study import HEADER, Api, rows


@pytest.mark.parametrize(
    ("decision", "row"),
    [
        (("cat1", "keep", "cat"), "cat1,keep,cat,"),
        (("cat1", "reject", "cat"), "cat1,reject,cat,"),
        (("cat1", "reject", "cat", ' it\nis "dark", '), 'cat1,reject,cat,"it is ""dark"","'),
        (("cat1", "move", "NA"), "cat1,move,NA,"),
        (("both", "keep", "dog"), "both,keep,dog,"),
    ],
)
def test_a_decision_is_one_row_more_with_the_time_in_utc(api, paths, decision, row):
    answer = api.decide(*decision)
    assert rows(paths) == [row]
    assert (answer["done"]["image_id"], answer["standing"]) == (decision[0], 1)
    written = datetime.strptime(answer["done"]["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - written < timedelta(minutes=1)
    assert paths.reviews.read_text().endswith(f",{answer['done']['time']}\n")


def test_what_is_decided_stands_on_every_tile_of_the_image_and_beside_its_twins(api):
    api.decide("both", "keep", "dog")
    api.decide("cat1", "reject", "cat", "dark")
    tiles = api.page("rejected")["tiles"]
    assert [tile["decision"] and tile["decision"]["class_"] for tile in tiles] == ["dog", "dog", None, None]
    assert tiles[2]["twin"]["decision"]["reason"] == "dark"
    assert api.shown("decided") == ["cat1", "both", "both"]
    assert api.page()["reasons"] == ["dark"]


def test_the_progress_counts_the_decided_among_those_shown(api):
    api.decide("both", "keep", "dog")
    api.decide("cat1", "reject", "cat")
    progress = {name: (api.page(name)["decided"], api.page(name)["total"]) for name in ("all", "kept", "rejected")}
    assert progress == {"all": (3, 10), "kept": (1, 6), "rejected": (2, 4)}
    answer = api.post({"image_id": "dog1", "decision": "keep", "class": "dog"}, "?filter=kept&class=dog").json
    assert (answer["decided"], answer["total"]) == (1, 2)


def test_who_changes_their_mind_undoes_and_decides_anew(api, paths):
    api.decide("cat1", "keep", "cat")
    api.decide("cat1", "move", "dog")
    api.decide("cat1", "move", "NA")
    assert rows(paths) == ["cat1,keep,cat,", "cat1,undo,,", "cat1,move,dog,", "cat1,undo,,", "cat1,move,NA,"]


def test_the_decision_that_stands_is_not_written_again_but_another_reason_is(api, paths):
    for _ in range(2):
        assert api.decide("cat1", "reject", "cat", "dark")["done"]["reason"] == "dark"
    assert rows(paths) == ["cat1,reject,cat,dark"]
    api.decide("cat1", "reject", "cat", "blurred")
    assert rows(paths)[1:] == ["cat1,undo,,", "cat1,reject,cat,blurred"]


def test_undo_cancels_the_last_decision_in_the_order_of_the_file_then_the_one_before(api, paths):
    for image_id in ("cat1", "cat2", "cat4"):
        api.decide(image_id, "keep", "cat")
    api.decide("cat1", "reject", "cat")
    assert [api.decide("", "undo")["undone"]["image_id"] for _ in range(3)] == ["cat1", "cat4", "cat2"]
    assert read_decisions(paths.reviews, read_table(paths.raw / "images.csv")) == {}
    reply = api.post({"decision": "undo"})
    assert (reply.status_code, reply.json) == (409, {"error": "undo: expected a standing decision, got none."})


def test_undo_works_after_a_restart(api, paths):
    api.decide("cat1", "keep", "cat")
    api.decide("dog1", "move", "cat")
    assert Api(paths).decide("", "undo")["undone"]["image_id"] == "dog1"
    assert rows(paths)[-1] == "dog1,undo,,"


def test_the_decision_on_one_image_is_undone_by_name(api, paths):
    api.decide("cat1", "keep", "cat")
    api.decide("dog1", "keep", "dog")
    assert api.decide("cat1", "undo")["undone"]["decision"] == "keep"
    assert api.shown("decided") == ["dog1"]
    reply = api.post({"image_id": "cat1", "decision": "undo"})
    assert reply.status_code == 409
    assert reply.json == {"error": "undo: expected a standing decision to undo, got none on cat1."}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"image_id": "bird", "decision": "keep", "class": "cat"},
            "decision: expected an image of the data, got 'bird'",
        ),
        ({"image_id": "bird", "decision": "undo"}, "undo: expected a standing decision to undo, got none on bird"),
        ({"image_id": "", "decision": "keep", "class": "cat"}, "decision: expected an image of the data, got ''"),
        (
            {"image_id": "cat1", "decision": "kep", "class": "cat"},
            "decision: expected one of keep, reject, move, got 'kep'",
        ),
        ({"image_id": "cat1", "decision": "", "class": "cat"}, "decision: expected one of keep, reject, move, got ''"),
        (
            {"image_id": "cat1", "decision": "keep", "class": "dog"},
            "decision: expected a class of cat to keep, got 'dog'",
        ),
        ({"image_id": "cat1", "decision": "reject"}, "decision: expected a class of cat to reject, got ''"),
        (
            {"image_id": "cat1", "decision": "move", "class": "bird"},
            "decision: expected a class of NA, cat, dog to move",
        ),
        ({"image_id": "cat1", "decision": "move", "class": "a\nb"}, "class: expected a name of one line"),
        ({"image_id": "cat1", "decision": "reject", "class": "cat", "reason": "\ud800"}, "'utf-8' codec can't encode"),
    ],
)
def test_what_is_no_decision_is_refused_and_writes_nothing(api, paths, body, message):
    reply = api.post(body)
    assert reply.status_code == 409
    assert reply.json["error"].startswith(message)
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ("[]", 400), ('"keep"', 400), ("null", 400), ('{"image_id": 7}', 400), (" " * 70000, 413)],
)
def test_a_body_of_another_shape_is_refused(api, paths, body, status):
    reply = api.post(body)
    assert reply.status_code == status
    assert reply.json["error"]
    assert paths.reviews.read_text() == HEADER
