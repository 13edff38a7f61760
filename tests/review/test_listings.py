import pytest

from tests.review.study import HEADER, NOON, Api, write_study


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
