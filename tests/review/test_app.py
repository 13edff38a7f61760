import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from stages.core.files import read_table
from stages.images.decisions import COLUMNS, Decision, read_decisions
from stages.review.app import create_app
from stages.review.decision_file import append
from stages.review.session import Paths, Session
from tests.contrast import LOWEST_CONTRAST

HEADER = ",".join(COLUMNS) + "\n"
NOON = "2026-11-21T12:00:00Z"
ORIGIN = "http://127.0.0.1:8000"
CHROMIUM = Path("/usr/bin/chromium")

# image_id, class, and what clean made of it: the group of a kept image, or (reason, twin, distance).
STUDY = [
    ("cat1", "cat", "cat1"),
    ("cat2", "cat", "cat1"),
    ("cat3", "cat", ("near-duplicate", "cat1", "3")),
    ("cat4", "cat", "cat4"),
    ("dog1", "dog", "cat4"),
    ("dog2", "dog", "dog2"),
    ("dog3", "dog", ("unreadable", "", "")),
    ("both", "cat", ("conflict", "both", "0")),
    ("both", "dog", ("conflict", "both", "0")),
    ("007", "NA", "007"),
    ("007", "NA", ("duplicate", "007", "0")),
]
SUGGESTIONS = (
    "image_id,class,kind,suggested,score\ncat4,cat,mislabelled,dog,0.7\ndog2,dog,outlier,,0.9\n"
    "cat1,cat,mislabelled,dog,0.2\ncat1,cat,outlier,,0.1\ncat3,cat,outlier,,1\n"
)


def write_study(folder, rows, draw):
    """The raw images and the tables of clean, as `read_tiles` expects them."""
    raw, cleaned = folder / "raw", folder / "clean"
    images, kept, rejected = [], [], []
    for number, (image_id, class_, verdict) in enumerate(rows):
        file = raw / class_ / f"{image_id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(number).save(file)
        row = {"image_id": image_id, "class": class_, "source_id": f"{class_}/{number}", "title": f"Title {image_id}"}
        row |= {"width": 64, "height": 48, "file": f"{class_}/{image_id}.png"}
        images.append(row)
        if isinstance(verdict, str):
            kept.append(row | {"phash": "0" * 16, "group": verdict})
        else:
            rejected.append(row | dict(zip(("reason", "twin", "distance"), verdict, strict=True)) | {"detail": ""})
    cleaned.mkdir()
    pd.DataFrame(images).to_csv(raw / "images.csv", index=False)
    pd.DataFrame(kept).to_csv(cleaned / "kept.csv", index=False)
    columns = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]
    pd.DataFrame(rejected, columns=columns).to_csv(cleaned / "rejected.csv", index=False)
    return Paths(raw, cleaned, folder / "suggestions.csv", folder / "review.csv")


@pytest.fixture
def paths(tmp_path, draw):
    """The study above: three classes, one image in two of them, one file that is no picture, suggestions."""
    paths = write_study(tmp_path, STUDY, draw)
    (paths.raw / "dog" / "dog3.png").write_bytes(b"no picture")
    paths.suggestions.write_text(SUGGESTIONS)
    paths.reviews.write_text(HEADER)
    return paths


class Api:
    """The requests of the page to a session's application."""

    def __init__(self, paths):
        self.session = Session(paths)
        self.client = create_app(self.session).test_client()

    def get(self, path, **options):
        return self.client.get(path, base_url=ORIGIN, buffered=True, **options)

    def post(self, body, query="", **headers):
        headers = {"Origin": ORIGIN, "Content-Type": "application/json"} | headers
        data = body if isinstance(body, str) else json.dumps(body)
        return self.client.post(f"/api/decisions{query}", base_url=ORIGIN, headers=headers, data=data)

    def page(self, name="all", **query):
        reply = self.client.get("/api/page", base_url=ORIGIN, query_string={"filter": name, **query})
        assert reply.status_code == 200, reply.json
        return reply.json

    def shown(self, name="all", **query):
        return [tile["image_id"] for tile in self.page(name, **query)["tiles"]]

    def decide(self, image_id, decision, class_="", reason=""):
        reply = self.post({"image_id": image_id, "decision": decision, "class": class_, "reason": reason})
        assert reply.status_code == 200, reply.json
        return reply.json


@pytest.fixture
def api(paths):
    return Api(paths)


def rows(paths):
    """The table's rows without their times."""
    return [line.rsplit(",", 1)[0] for line in paths.reviews.read_text().splitlines()[1:]]


# --- what is shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("all", ["007", "both", "cat1", "cat2", "cat3", "cat4", "both", "dog1", "dog2", "dog3"]),
        ("kept", ["007", "cat1", "cat2", "cat4", "dog1", "dog2"]),
        ("suggestions", ["dog2", "cat4", "cat1"]),
        ("groups", ["cat1", "cat2", "cat3", "cat4", "dog1"]),
        ("rejected", ["both", "both", "cat3", "dog3"]),
        ("decided", []),
    ],
)
def test_each_filter_shows_its_images(api, name, shown):
    assert api.shown(name) == shown
    assert dict(api.page(name)["filters"])[name] == len(shown) == api.page(name)["total"]


@pytest.mark.parametrize(
    ("name", "class_", "shown"),
    [
        ("all", "dog", ["both", "dog1", "dog2", "dog3"]),
        ("kept", "NA", ["007"]),
        ("suggestions", "cat", ["cat4", "cat1"]),
        ("rejected", "cat", ["both", "cat3"]),
        ("rejected", "NA", []),
    ],
)
def test_a_class_shows_its_images_only(api, name, class_, shown):
    assert api.shown(name, **{"class": class_}) == shown


def test_the_classes_are_counted_for_the_filter_that_is_shown(api):
    assert api.page("all")["classes"] == [["", 10], ["NA", 1], ["cat", 5], ["dog", 4]]
    assert api.page("rejected", **{"class": "cat"})["classes"] == [["", 4], ["NA", 0], ["cat", 2], ["dog", 2]]


def test_a_group_of_look_alikes_is_whole_in_each_class_that_it_touches(api):
    assert api.shown("groups", **{"class": "dog"}) == ["cat4", "dog1"]
    assert api.shown("groups", **{"class": "cat"}) == ["cat1", "cat2", "cat3", "cat4", "dog1"]


def test_a_rejected_image_has_its_reason_and_the_image_that_it_repeats(api):
    tile = next(tile for tile in api.page("rejected")["tiles"] if tile["image_id"] == "cat3")
    assert (tile["state"], tile["reason"], tile["distance"]) == ("rejected", "near-duplicate", "3")
    assert (tile["twin"]["image_id"], tile["twin"]["state"]) == ("cat1", "kept")


def test_the_twin_of_an_image_in_two_classes_is_itself_in_the_other(api):
    tiles = api.page("rejected")["tiles"][:2]
    assert [(tile["class"], tile["twin"]["class"]) for tile in tiles] == [("cat", "dog"), ("dog", "cat")]


def test_a_rejected_image_that_repeats_none_has_no_twin(api):
    assert api.page("rejected")["tiles"][-1]["twin"] is None


def test_a_suggestion_comes_with_its_class_and_the_highest_of_an_images_scores(api):
    found = [(tile["kind"], tile["suggested"], tile["score"]) for tile in api.page("suggestions")["tiles"]]
    assert found == [("outlier", "", 0.9), ("mislabelled", "dog", 0.7), ("mislabelled", "dog", 0.2)]


def test_without_suggestions_there_are_none_and_the_missing_file_is_named(api, paths):
    assert api.page()["missing"] == []
    paths.suggestions.unlink()
    assert api.shown("suggestions") == []
    assert api.page()["missing"] == [str(paths.suggestions)]


def test_the_same_bytes_twice_in_a_class_are_one_tile_with_their_number(api):
    tiles = {tile["image_id"]: tile for tile in api.page()["tiles"]}
    assert (tiles["007"]["copies"], tiles["007"]["state"], tiles["cat1"]["copies"]) == ("2", "kept", "1")


def test_before_clean_has_run_every_image_is_new(api, paths):
    for file in paths.cleaned.iterdir():
        file.unlink()
    paths.cleaned.rmdir()
    assert {tile["state"] for tile in api.page()["tiles"]} == {"new"}
    assert api.page()["missing"] == [str(paths.cleaned)]


def test_a_moved_image_is_shown_in_the_class_where_the_cleaned_data_have_it(paths):
    kept = paths.cleaned / "kept.csv"
    kept.write_text(kept.read_text().replace("dog2,dog", "dog2,cat"))
    api = Api(paths)
    assert "dog2" in api.shown("kept", **{"class": "cat"})
    assert "dog2" not in api.shown("all", **{"class": "dog"})
    tile = next(tile for tile in api.page()["tiles"] if tile["image_id"] == "dog2")
    assert (tile["class"], tile["now"], tile["state"]) == ("dog", "cat", "kept")


def test_an_image_decided_into_one_of_its_classes_is_no_more_in_the_other(paths):
    rejected = paths.cleaned / "rejected.csv"
    lines = [line for line in rejected.read_text().splitlines(keepends=True) if not line.startswith("both,dog")]
    rejected.write_text("".join(lines).replace("conflict", "review"))
    api = Api(paths)
    assert api.shown("all", **{"class": "dog"}) == ["dog1", "dog2", "dog3"]
    assert api.shown("rejected", **{"class": "cat"}) == ["cat3", "both"]


# --- pages


@pytest.fixture
def many(tmp_path, draw):
    """150 images of one class, in groups of 25, and a group of 61."""
    rows = [(f"{n:03}", "cat", f"{n // 25 * 25:03}") for n in range(150)]
    paths = write_study(tmp_path, rows, lambda number: draw(0))
    paths.reviews.write_text(HEADER)
    return paths


def test_pages_hold_60_tiles_and_the_last_one_the_rest(many):
    api = Api(many)
    pages = [api.page("all", page=number) for number in range(3)]
    assert [len(page["tiles"]) for page in pages] == [60, 60, 30]
    assert [(page["page"], page["pages"], page["first"]) for page in pages] == [(0, 3, 0), (1, 3, 60), (2, 3, 120)]
    assert [tile["image_id"] for page in pages for tile in page["tiles"]] == [f"{n:03}" for n in range(150)]


@pytest.mark.parametrize(("asked", "given"), [(3, 2), (99, 2), (-1, 0)])
def test_a_page_that_is_not_there_is_the_nearest_one(many, asked, given):
    assert Api(many).page("all", page=asked)["page"] == given


def test_no_page_parts_look_alikes(many):
    api = Api(many)
    assert [len(api.page("groups", page=number)["tiles"]) for number in range(3)] == [50, 50, 50]


@pytest.mark.parametrize(("size", "lengths"), [(60, [10, 60, 5]), (61, [10, 60, 1 + 5]), (130, [10, 60, 60, 10 + 5])])
def test_only_look_alikes_too_many_for_a_page_are_parted(tmp_path, draw, size, lengths):
    sizes = {"a": 10, "b": size, "c": 5}
    paths = write_study(
        tmp_path, [(f"{g}{n:03}", "cat", f"{g}000") for g, s in sizes.items() for n in range(s)], lambda _: draw(0)
    )
    api = Api(paths)
    assert [len(api.page("groups", page=number)["tiles"]) for number in range(len(lengths))] == lengths
    assert api.page("groups")["pages"] == len(lengths)


def test_an_empty_listing_has_one_empty_page(api):
    page = api.page("decided", page=0)
    assert (page["page"], page["pages"], page["tiles"]) == (0, 1, [])


def test_without_a_number_comes_the_first_page_with_something_undecided(many):
    many.reviews.write_text(HEADER + "".join(f"{n:03},keep,cat,,{NOON}\n" for n in range(60)))
    api = Api(many)
    assert api.page("all")["page"] == 1
    assert api.page("decided")["page"] == 0


def get_next(api, after, name="all"):
    return api.get("/api/next", query_string={"filter": name, "after": after}).json["next"]


def test_the_next_undecided_image_is_found_on_any_page_and_around_the_end(many):
    decided = [n for n in range(150) if n not in (5, 70)]
    many.reviews.write_text(HEADER + "".join(f"{n:03},keep,cat,,{NOON}\n" for n in decided))
    api = Api(many)
    assert get_next(api, -1) == get_next(api, 4) == get_next(api, 70) == {"page": 0, "position": 5}
    assert get_next(api, 5) == get_next(api, 69) == {"page": 1, "position": 70}
    assert get_next(api, 0, "decided") is None


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("filter=none", 400, "filter: expected one of all, kept, suggestions, groups, rejected, decided, got 'none'."),
        ("class=bird", 404, "class: expected one of NA, cat, dog, got 'bird'."),
    ],
)
def test_what_there_is_not_is_named(api, query, status, message):
    for path in ("page", "next"):
        reply = api.get(f"/api/{path}?{query}")
        assert (reply.status_code, reply.json) == (status, {"error": message})


# --- decisions


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
        ({"image_id": "bird", "decision": "undo"}, "undo: expected an image of the data, got 'bird'"),
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


# --- other writers of the same files


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


def test_where_new_images_lack_a_decided_one_the_page_says_so_and_stays(api, paths):
    api.decide("dog2", "keep", "dog")
    images = paths.raw / "images.csv"
    images.write_text("".join(line for line in images.read_text().splitlines(True) if not line.startswith("dog2")))
    page = api.page("decided")
    assert "line 2: expected an image of the data, got 'dog2'. Decisions of another data set" in page["problem"]
    assert [tile["image_id"] for tile in page["tiles"]] == ["dog2"]


def test_a_missing_table_of_decisions_is_begun(paths):
    paths.reviews.unlink()
    assert Api(paths).page()["standing"] == 0
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize("content", ["", "image_id\n", HEADER + f"bird,keep,cat,,{NOON}\n"])
def test_a_table_that_is_wrong_from_the_start_is_an_error_and_stays_as_it_is(paths, content):
    paths.reviews.write_text(content)
    with pytest.raises(ValueError, match=r"review\.csv line \d: expected"):
        Session(paths)
    assert paths.reviews.read_text() == content


# --- other web sites


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000"])
def test_the_names_of_this_machine_are_served(api, host):
    for path in ("/", "/api/page", "/pages/review.js"):
        assert api.get(path, headers={"Host": host}).status_code == 200
    headers = {"Host": host, "Origin": f"http://{host}", "Content-Type": "application/json"}
    body = json.dumps({"image_id": "cat1", "decision": "keep", "class": "cat"})
    assert api.client.post("/api/decisions", base_url=ORIGIN, headers=headers, data=body).status_code == 200


def test_at_port_80_browsers_leave_the_port_out(api):
    assert api.client.get("/", base_url="http://127.0.0.1", buffered=True).status_code == 200
    assert api.client.get("/", base_url="http://example.org").status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "example.org:8000",
        "127.0.0.1",
        "127.0.0.1:8001",
        "localhost",
        "localhost:8000.example.org",
        "127.0.0.1:8000@x",
        "",
    ],
)
def test_any_other_host_is_refused(api, paths, host):
    for path in ("/", "/api/page", "/small/cat1", "/pages/review.js"):
        assert api.get(path, headers={"Host": host}).status_code == 403
    headers = {"Host": host, "Origin": f"http://{host}", "Content-Type": "application/json"}
    body = json.dumps({"image_id": "cat1", "decision": "keep", "class": "cat"})
    assert api.client.post("/api/decisions", base_url=ORIGIN, headers=headers, data=body).status_code == 403
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize("origin", ["", "null", "http://example.org", "http://127.0.0.1:8001", "http://localhost:8000"])
def test_a_decision_from_another_origin_is_refused(api, paths, origin):
    reply = api.post({"image_id": "cat1", "decision": "keep", "class": "cat"}, Origin=origin)
    assert reply.status_code == 403
    assert reply.json["error"].startswith("Origin: expected http://127.0.0.1:8000, got ")
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize(
    "type_", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_what_a_form_can_send_is_refused(api, paths, type_):
    reply = api.post({"image_id": "cat1", "decision": "keep", "class": "cat"}, **{"Content-Type": type_})
    assert reply.status_code == 415
    assert paths.reviews.read_text() == HEADER


@pytest.mark.parametrize("path", ["/", "/api/page", "/small/cat1", "/small/none", "/pages/review.js", "/none"])
def test_every_answer_lets_the_page_use_this_server_only_and_no_other_page_use_it(api, path):
    headers = api.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == policy["frame-ancestors"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/api/decisions", "/raw/images.csv", "/pages/../app.py", "/small/../../review.csv"])
def test_nothing_else_is_to_be_read(api, path):
    assert api.get(path).status_code in (404, 405)


def test_the_page_names_no_other_server(root):
    for file in (root / "stages" / "review" / "static").iterdir():
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text()), file


# --- pictures


@pytest.mark.parametrize(("size", "side"), [("small", 320), ("large", 320)])
def test_a_picture_is_a_square_jpeg(api, size, side):
    reply = api.get(f"/{size}/cat1")
    assert reply.mimetype == "image/jpeg"
    image = Image.open(io.BytesIO(reply.data))
    assert (image.format, image.size) == ("JPEG", (side, side))
    assert image.getpixel((side // 2, 2)) == (255, 255, 255)  # 64 x 48 leaves white above


@pytest.mark.parametrize(("width", "side"), [(319, 320), (321, 321), (1280, 1280), (1281, 1280)])
def test_the_large_view_has_the_pictures_own_size_within_limits(paths, draw, width, side):
    draw(1, (width, 40)).save(paths.raw / "cat" / "cat1.png")
    images = read_table(paths.raw / "images.csv")
    images.loc[images["image_id"] == "cat1", "width"] = str(width)
    images.to_csv(paths.raw / "images.csv", index=False)
    assert Image.open(io.BytesIO(Api(paths).get("/large/cat1").data)).size == (side, side)


def test_images_without_a_known_size_are_shown_too(paths):
    images = read_table(paths.raw / "images.csv").drop(columns=["width", "title"])
    images.assign(height="").to_csv(paths.raw / "images.csv", index=False)
    api = Api(paths)
    assert api.page()["tiles"][0]["title"] == ""
    assert api.get("/large/cat1").status_code == 200


def test_a_picture_is_decoded_once(api, paths):
    first = api.get("/small/cat2").data
    (paths.raw / "cat" / "cat2.png").unlink()
    assert api.get("/small/cat2").data == first


@pytest.mark.parametrize("size", ["small", "large"])
def test_what_is_no_picture_says_why(api, paths, size):
    reply = api.get(f"/{size}/dog3")
    assert (reply.status_code, reply.mimetype) == (422, "text/plain")
    assert reply.text.startswith("unreadable: cannot identify image file")
    (paths.raw / "dog" / "dog3.png").unlink()
    assert api.get(f"/{size}/dog3").status_code == 422


def test_an_unknown_picture_is_named(api):
    reply = api.get("/small/bird")
    assert (reply.status_code, reply.json["error"]) == (404, "image_id: expected an image of the data, got 'bird'.")


# --- the command


def command_for(paths, *options):
    named = [f"--{name}={path}" for name, path in zip(
        ("raw", "cleaned", "suggestions", "review"), (paths.raw, paths.cleaned, paths.suggestions, paths.reviews),
        strict=True,
    )]  # fmt: skip
    return [sys.executable, "-m", "stages.review", "--no-browser", *named, *options]


class Server:
    """The command in a process of its own."""

    def __init__(self, paths, *options):
        self.process = subprocess.Popen(
            command_for(paths, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        first = self.process.stdout.readline()
        assert first, self.process.communicate()
        self.url = re.search(r"http://127\.0\.0\.1:(\d+)/", first).group()
        self.port = int(self.url.split(":")[2].strip("/"))

    def stop(self, signal_=signal.SIGINT):
        self.process.send_signal(signal_)
        output = self.process.communicate(timeout=20)
        return self.process.returncode, *output


@pytest.fixture
def serve(paths):
    """Start the command on the study, as often as asked; all are ended at last."""
    servers = []

    def serve(*options):
        servers.append(Server(paths, *options))
        return servers[-1]

    yield serve
    for server in servers:
        with server.process:
            server.process.kill()


def send(server, body):
    """POST as the page does, over a socket of its own."""
    data = json.dumps(body)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"POST /api/decisions HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: http://127.0.0.1:{server.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n{data}".encode()
        )
        return b"".join(iter(lambda: connection.recv(65536), b"")).split(b"\r\n")[0].split()[1]


def test_ctrl_c_ends_the_command_with_nothing_lost(serve, paths):
    server = serve()
    assert send(server, {"image_id": "cat1", "decision": "keep", "class": "cat"}) == b"200"
    status, output, errors = server.stop()
    assert (status, output, errors) == (0, "1 decisions stand; `dvc repro` applies them.\n", "")
    assert rows(paths) == ["cat1,keep,cat,"]


def test_a_kill_loses_nothing_that_was_answered(serve, paths):
    server = serve()
    for image_id in ("cat1", "cat2", "cat3"):
        assert send(server, {"image_id": image_id, "decision": "reject", "class": "cat"}) == b"200"
    assert server.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    assert rows(paths) == ["cat1,reject,cat,", "cat2,reject,cat,", "cat3,reject,cat,"]


def test_only_this_machine_is_served(serve):
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    # Another address of the same machine: whoever listens on all of them would answer.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port))


def test_the_asked_port_is_taken(serve):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert serve(f"--port={port}").port == port


def fail(paths, *options):
    return subprocess.run(
        command_for(paths, *options), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_a_port_in_use_is_one_line(paths):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = fail(paths, f"--port={taken.getsockname()[1]}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Address already in use" in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port_is_refused(paths, port):
    done = fail(paths, f"--port={port}")
    assert done.returncode == 2
    assert f"argument --port: expected 0 to 65535, got '{port}'" in done.stderr


def test_without_images_the_command_is_one_line(paths):
    (paths.raw / "images.csv").unlink()
    done = fail(paths)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{paths.raw / 'images.csv'}: expected a table, got no such file.\n"


def test_a_wrong_table_of_decisions_is_one_line(paths):
    paths.reviews.write_text(HEADER + f"cat1,keep,dog,,{NOON}\n")
    done = fail(paths)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{paths.reviews} line 2: expected a class of cat to keep, got 'dog'.\n"


# --- the page in a browser


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM}: expected Debian's package chromium, got no such file.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open a server's page and wait for its tiles; whatever the browser complains about fails the test."""
    complaints, pages = [], []

    def open_page(server, tail="", **options) -> Page:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 860}, **options})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(server.url + tail)
        page.locator(".tile.is-current").wait_for()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    # Said on the page: no picture (422), a decision that is refused (409), a server that was killed.
    known = re.compile("Failed to load resource: .*(422|409|ERR_CONNECTION|ERR_EMPTY_RESPONSE)")
    assert [text for text in complaints if not known.match(text)] == []


def card(page, image_id):
    return page.get_by_role("group", name=re.compile(rf"^Title {image_id},"))


FOCUSED = "document.activeElement.closest('.tile.is-current')?.querySelector('.card').ariaLabel ?? ''"


def chosen(page):
    """The name of what the keyboard acts on: the focused tile."""
    return page.evaluate(FOCUSED)


def expect_chosen(page, image_id):
    page.wait_for_function(f"start => ({FOCUSED}).startsWith(start)", arg=f"Title {image_id},", timeout=5000)


def press(page, *keys):
    """Press keys, and wait for the answers to the decisions among them."""
    for key in keys:
        page.keyboard.press(key)
    page.evaluate("""async () => {
        const { waiting } = await import("/pages/server.js");
        while (waiting.requests) await new Promise((resolve) => setTimeout(resolve, 5));
    }""")


def toast(page, words):
    expect(page.locator(".toast")).to_have_text(words)


@pytest.mark.slow
def test_with_the_keyboard_alone_everything_is_decided_and_found_again(serve, open_page, paths):
    server = serve()
    page = open_page(server)
    expect_chosen(page, "007")
    press(page, "r")
    toast(page, "Saved: reject from NA")
    expect_chosen(page, "both")
    press(page, "3")
    toast(page, "Saved: move to dog")
    press(page, "k", "k")
    expect_chosen(page, "cat3")
    press(page, "u")
    toast(page, "Undone: keep in cat")
    expect_chosen(page, "cat2")
    expected = ["007,reject,NA,", "both,move,dog,", "cat1,keep,cat,", "cat2,keep,cat,", "cat2,undo,,"]
    assert rows(paths) == expected
    expect(page.locator("#numbers")).to_have_text("4 of 10 decided")
    page.close()
    assert server.stop()[0] == 0

    page = open_page(serve())
    expect_chosen(page, "cat2")  # the first that is undecided
    for image_id, words in (("007", "you reject it"), ("cat1", "you keep it"), ("both", "you move it to dog")):
        expect(card(page, image_id).first).to_have_accessible_name(re.compile(rf", {words}$"))
    press(page, "u")
    toast(page, "Undone: keep in cat")
    expect_chosen(page, "cat1")
    press(page, "m")
    page.keyboard.type("do")
    press(page, "Enter")
    toast(page, "Saved: move to dog")
    assert rows(paths) == [*expected, "cat1,undo,,", "cat1,move,dog,"]


@pytest.mark.slow
def test_with_the_mouse_alone_everything_is_decided_and_found_again(serve, open_page, paths):
    server = serve()
    page = open_page(server)

    def click(image_id, words):
        tile = page.locator(".tile", has=card(page, image_id))
        tile.hover()
        tile.get_by_role("button", name=words).click()

    click("cat1", "Keep")
    toast(page, "Saved: keep in cat")
    click("cat2", "Reject")
    toast(page, "Saved: reject from cat")
    click("cat4", "Move")
    page.locator("#move").get_by_role("button", name="dog").click()
    toast(page, "Saved: move to dog")
    click("cat1", "Undo")
    toast(page, "Undone: keep in cat")
    card(page, "dog1").click()
    page.locator("#actions").get_by_role("button", name="NA").click()
    toast(page, "Saved: move to NA")
    card(page, "dog2").click()
    page.locator("#actions").get_by_role("button", name="Reject").click()
    toast(page, "Saved: reject from dog")
    page.locator("#actions").get_by_role("button", name="Undo last").click()
    toast(page, "Undone: reject from dog")
    assert rows(paths) == [
        "cat1,keep,cat,", "cat2,reject,cat,", "cat4,move,dog,", "cat1,undo,,", "dog1,move,NA,", "dog2,reject,dog,",
        "dog2,undo,,",
    ]  # fmt: skip
    page.close()
    assert server.stop()[0] == 0

    page = open_page(serve())
    page.locator("#filters").get_by_role("button", name="decided").click()
    expect(page.locator(".card")).to_have_count(3)
    names = [each.get_attribute("aria-label") for each in page.locator(".card").all()]
    assert [name.split(",")[0] for name in names] == ["Title dog1", "Title cat4", "Title cat2"]
    assert [name.split(", ")[-1] for name in names] == ["you move it to NA", "you move it to dog", "you reject it"]


@pytest.mark.slow
def test_arrows_go_to_the_neighbours(serve, open_page):
    page = open_page(serve(), viewport={"width": 900, "height": 900})  # four tiles a row
    for key, image_id in (
        ("ArrowRight", "both"), ("ArrowDown", "cat4"), ("ArrowUp", "both"), ("ArrowLeft", "007"), ("ArrowLeft", "007"),
        ("ArrowDown", "cat3"), ("ArrowDown", "dog2"), ("ArrowRight", "dog3"), ("ArrowRight", "dog3"),
        ("ArrowDown", "dog3"), ("Home", "007"), ("End", "dog3"),
    ):  # fmt: skip
        press(page, key)
        expect_chosen(page, image_id)


@pytest.mark.slow
def test_keys_go_through_filters_and_classes_and_a_reload_comes_back_to_them(serve, open_page):
    page = open_page(serve())
    shown = page.locator("nav [aria-current]")
    press(page, "n", "n")
    expect(shown).to_have_text(["All classes 3", "suggestions 3"])
    assert chosen(page).endswith("outlier in dog · 0.90")
    press(page, "c", "c")
    expect(shown).to_have_text(["cat 2", "suggestions 2"])
    assert chosen(page).endswith("looks like dog · 0.70")
    page.reload()
    expect(shown).to_have_text(["cat 2", "suggestions 2"])
    press(page, "p", "p", "p", "Shift+C")
    expect(shown).to_have_text(["NA 0", "decided 0"])
    expect(page.locator("#empty")).to_have_text("Nothing is decided yet in NA.")
    press(page, "k", "r", "1", "m", "Space", "Shift+R", "Shift+U")  # on nothing
    assert not page.locator("dialog[open]").count()


@pytest.mark.slow
def test_look_alikes_stand_side_by_side_and_a_rejected_image_beside_its_twin(serve, open_page):
    page = open_page(serve(), "#filter=groups")
    groups = page.locator(".cluster ul")
    expect(groups).to_have_count(2)
    assert [len(each.get_by_role("group").all()) for each in groups.all()] == [3, 2]
    press(page, "n")
    pair = card(page, "cat3").locator("img")
    expect(pair).to_have_count(2)
    boxes = [each.bounding_box() for each in pair.all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + 1
    expect(card(page, "cat3")).to_contain_text("3 of 64 bits differ")
    expect(card(page, "both").first).to_contain_text("the same file")


@pytest.mark.slow
def test_what_is_no_picture_says_so_on_its_tile(serve, open_page):
    page = open_page(serve(), "#filter=rejected&class=dog")
    expect(card(page, "dog3")).to_contain_text("cannot be shown")
    expect(card(page, "dog3")).to_contain_text("unreadable: cannot identify image file")
    card(page, "dog3").dblclick()
    expect(page.locator("#large")).to_contain_text("unreadable: cannot identify image file")


@pytest.mark.slow
@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_the_large_view_opens_leafs_decides_and_closes(serve, open_page, paths, key):
    page = open_page(serve())
    large = page.locator("#large")
    press(page, "End", "ArrowLeft", key)
    expect(large).to_be_visible()
    expect(large).to_contain_text("Title dog2 9 of 10")
    press(page, "ArrowLeft")
    expect(large).to_contain_text("Title dog1 8 of 10")
    press(page, "2")
    expect(large).to_contain_text("Title dog2 9 of 10")
    expect(large.locator(".toast")).to_be_visible()  # above the dialog, not behind it
    press(page, key)
    expect(large).to_be_hidden()
    expect_chosen(page, "dog2")
    assert rows(paths) == ["dog1,move,cat,"]


@pytest.mark.slow
def test_a_rejection_with_a_reason_offers_the_reasons_given_before(serve, open_page, paths):
    page = open_page(serve())
    for words in ("too dark, k", "r u 3"):  # letters that are keys outside
        press(page, "Shift+R")
        page.keyboard.type(words)
        press(page, "Enter")
    assert rows(paths) == ['007,reject,NA,"too dark, k"', "both,reject,cat,r u 3"]
    press(page, "Shift+R")
    offered = [each.get_attribute("value") for each in page.locator("#reasons option").all()]
    assert offered == ["r u 3", "too dark, k"]
    press(page, "Escape")
    expect_chosen(page, "cat1")
    assert len(rows(paths)) == 2


@pytest.mark.slow
def test_a_dialog_left_and_a_move_to_where_an_image_is_write_nothing(serve, open_page, paths):
    page = open_page(serve())
    press(page, "m", "Escape", "m")
    page.keyboard.type("bird")
    press(page, "Enter", "Escape", "1")
    toast(page, "It was collected in NA: press K to keep it there")
    press(page, "m", "2")  # a digit in the dialog is its class
    assert rows(paths) == ["007,move,cat,"]


@pytest.mark.slow
def test_the_decision_on_the_chosen_image_is_undone_by_itself(serve, open_page, paths):
    page = open_page(serve())
    press(page, "k", "k", "Home", "Shift+U")
    assert rows(paths)[-1] == "007,undo,,"
    expect_chosen(page, "007")
    press(page, "Shift+U")
    toast(page, "You have not decided about this image")
    assert len(rows(paths)) == 3


@pytest.mark.slow
def test_every_key_is_listed_and_its_button_works(serve, open_page):
    page = open_page(serve())
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys").locator("dt")).to_have_count(19)
    press(page, "k", "Escape")
    expect(page.locator("#numbers")).to_have_text("0 of 10 decided")
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


@pytest.mark.slow
def test_space_on_a_button_is_the_button_s(serve, open_page):
    page = open_page(serve())
    page.locator("#filters").get_by_role("button", name="rejected").focus()
    press(page, "Space")
    expect(page.locator("#filters [aria-current]")).to_have_text("rejected 4")
    expect(page.locator("#large")).to_be_hidden()


@pytest.fixture
def serve_many(many):
    server = Server(many)
    yield server
    with server.process:
        server.process.kill()


@pytest.mark.slow
def test_a_hundred_decisions_typed_at_once_are_written_in_order_across_pages(serve_many, open_page, many):
    page = open_page(serve_many)
    for image in range(100):
        expect_chosen(page, f"{image:03}")  # the last of a page waits for the next one
        page.keyboard.press("k" if image % 3 else "r")  # its answer is not waited for
    press(page)
    assert rows(many) == [f"{image:03},{'keep' if image % 3 else 'reject'},cat," for image in range(100)]
    expect(page.locator("#page")).to_have_text("Page 2 of 3")
    expect(page.locator("#numbers")).to_have_text("100 of 150 decided")
    assert page.locator("#bar").evaluate("bar => bar.position") == pytest.approx(100 / 150)


@pytest.mark.slow
def test_no_key_decides_what_is_not_seen_yet(serve_many, open_page, many):
    page = open_page(serve_many, "#page=0")
    press(page, "End")
    page.evaluate("""() => {  // before any answer can come
        for (const [key, repeat] of [["k", false], ["k", false], ["r", false]]) {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, repeat, bubbles: true }));
        }
    }""")
    press(page)
    expect_chosen(page, "060")
    assert rows(many) == ["059,keep,cat,"]
    page.evaluate("""() => {  // held down
        for (const repeat of [false, true, true, true]) {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "r", repeat, bubbles: true }));
        }
    }""")
    press(page)
    expect_chosen(page, "061")
    assert rows(many)[1:] == ["060,reject,cat,"]


@pytest.mark.slow
def test_pages_turn_by_key_at_the_edge_and_by_button(serve_many, open_page):
    page = open_page(serve_many)
    for key, number, image in (
        ("ArrowLeft", 1, "000"), ("PageUp", 1, "000"), ("PageDown", 2, "060"), ("ArrowLeft", 1, "059"),
        ("ArrowRight", 2, "060"), ("ArrowUp", 1, "059"), ("ArrowDown", 2, "060"), ("PageDown", 3, "120"),
        ("PageDown", 3, "120"), ("End", 3, "149"), ("ArrowDown", 3, "149"),
    ):  # fmt: skip
        press(page, key)
        expect(page.locator("#page")).to_have_text(f"Page {number} of 3")
        expect_chosen(page, image)
    page.get_by_role("button", name="Previous page").click()
    expect_chosen(page, "060")
    expect(page.get_by_role("button", name="Next page")).to_be_enabled()


@pytest.mark.slow
def test_g_goes_to_the_next_undecided_image_wherever_it_is(many, serve_many, open_page):
    undecided = (5, 70)
    for image in range(150):
        if image not in undecided:
            append(many.reviews, Decision(f"{image:03}", "keep", "cat", "", NOON))
    page = open_page(serve_many)
    expect_chosen(page, "005")
    for image in ("070", "005", "070"):
        press(page, "g")
        expect_chosen(page, image)
    for key in "rgrg":
        press(page, key)
    toast(page, "All images here are decided")
    assert rows(many)[-2:] == ["070,reject,cat,", "005,reject,cat,"]


@pytest.mark.slow
def test_a_decision_that_the_server_does_not_take_is_not_shown_as_taken(serve, open_page, paths):
    server = serve()
    page = open_page(server)
    press(page, "k")
    server.stop(signal.SIGKILL)
    press(page, "r")
    toast(page, re.compile("^Not saved: the server does not answer; start it again"))
    expect_chosen(page, "both")
    expect(page.locator(".tile.is-saving")).to_have_count(0)
    expect(card(page, "both").first).not_to_have_accessible_name(re.compile("you reject it"))
    serve(f"--port={server.port}")
    press(page, "r")
    toast(page, "Saved: reject from cat")
    assert rows(paths) == ["007,keep,NA,", "both,reject,cat,"]


@pytest.mark.slow
def test_what_is_wrong_with_the_table_stands_on_the_page(serve, open_page, paths):
    page = open_page(serve())
    press(page, "k")
    good = paths.reviews.read_text()
    paths.reviews.write_text(good + "<<<<<<< HEAD\n")
    press(page, "k")
    toast(page, re.compile(r"^Not saved: .*review\.csv line 3: expected 5 fields"))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("line 3: expected 5 fields")
    paths.reviews.write_text(good + "both,ke")
    page.reload()
    page.locator(".tile.is-current").wait_for()
    press(page, "k")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#dropped")).to_contain_text("dropped: both,ke")
    assert rows(paths) == ["007,keep,NA,", "both,keep,cat,"]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [900, 1280, 2560])
def test_nothing_is_wider_than_the_window_and_every_text_has_contrast(serve, open_page, width, scheme):
    page = open_page(serve(), viewport={"width": width, "height": 860}, color_scheme=scheme)
    press(page, "k", "r", "2")
    for name in ("all", "kept", "suggestions", "groups", "rejected", "decided"):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(LOWEST_CONTRAST, ":disabled")[0] >= 4.5, page.evaluate(LOWEST_CONTRAST, ":disabled")
        press(page, "n")


@pytest.mark.slow
def test_everything_that_can_be_operated_has_a_name(serve, open_page):
    page = open_page(serve(), "#filter=rejected")
    for element in page.locator("button:visible, input:visible, progress, dialog, .card, nav, ul").all():
        assert element.evaluate(
            "each => each.ariaLabel || each.textContent.trim() || each.getAttribute('aria-labelledby')"
        ), element.evaluate("each => each.outerHTML")
    expect(page.locator("#toasts")).to_have_attribute("aria-live", "polite")
    assert page.locator(".card[tabindex='0']").count() == 1  # one stop for the Tab key, arrows for the rest
