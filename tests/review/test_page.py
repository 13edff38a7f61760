import itertools
import re

import pytest
from playwright.sync_api import expect

from stages.images.decisions import Decision
from stages.review.decision_file import append
from tests.contrast import LOWEST_CONTRAST
from tests.review.study import NOON, rows

pytestmark = pytest.mark.slow


def card(page, image_id):
    return page.get_by_role("group", name=re.compile(rf"^Title {image_id},"))


FOCUSED = "document.activeElement.closest('.tile.is-current')?.querySelector('.card').ariaLabel ?? ''"


def chosen(page):
    """Return the name of the focused tile, which the keys act on."""
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
    server.stop()

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
    server.stop()

    page = open_page(serve())
    page.locator("#filters").get_by_role("button", name="decided").click()
    expect(page.locator(".card")).to_have_count(3)
    names = [each.get_attribute("aria-label") for each in page.locator(".card").all()]
    assert [name.split(",")[0] for name in names] == ["Title dog1", "Title cat4", "Title cat2"]
    assert [name.split(", ")[-1] for name in names] == ["you move it to NA", "you move it to dog", "you reject it"]


def test_arrows_go_to_the_neighbours(serve, open_page):
    page = open_page(serve(), viewport={"width": 900, "height": 900})  # four tiles a row
    for key, image_id in (
        ("ArrowRight", "both"), ("ArrowDown", "cat4"), ("ArrowUp", "both"), ("ArrowLeft", "007"), ("ArrowLeft", "007"),
        ("ArrowDown", "cat3"), ("ArrowDown", "dog2"), ("ArrowRight", "dog3"), ("ArrowRight", "dog3"),
        ("ArrowDown", "dog3"), ("Home", "007"), ("End", "dog3"),
    ):  # fmt: skip
        press(page, key)
        expect_chosen(page, image_id)


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


def test_a_file_that_is_not_an_image_says_so_on_its_tile(serve, open_page):
    page = open_page(serve(), "#filter=rejected&class=dog")
    expect(card(page, "dog3")).to_contain_text("cannot be shown")
    expect(card(page, "dog3")).to_contain_text("unreadable: cannot identify image file")
    card(page, "dog3").dblclick()
    expect(page.locator("#large")).to_contain_text("unreadable: cannot identify image file")


def test_the_large_view_opens_leafs_decides_and_closes(serve, open_page, paths):
    page = open_page(serve())
    large = page.locator("#large")
    press(page, "End", "ArrowLeft", "Enter")
    expect(large).to_be_visible()
    expect(large).to_contain_text("Title dog2 9 of 10")
    press(page, "ArrowLeft")
    expect(large).to_contain_text("Title dog1 8 of 10")
    press(page, "2")
    expect(large).to_contain_text("Title dog2 9 of 10")
    expect(large.locator(".toast")).to_be_visible()  # above the dialog, not behind it
    press(page, "Enter")
    expect(large).to_be_hidden()
    expect_chosen(page, "dog2")
    assert rows(paths) == ["dog1,move,cat,"]
    press(page, "Space")
    expect(large).to_be_visible()
    press(page, "Space")
    expect(large).to_be_hidden()


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


def test_a_dialog_left_and_a_move_to_where_an_image_is_write_nothing(serve, open_page, paths):
    page = open_page(serve())
    press(page, "m", "Escape", "m")
    page.keyboard.type("bird")
    press(page, "Enter", "Escape", "1")
    toast(page, "It was collected in NA: press K to keep it there")
    press(page, "m", "2")  # a digit in the dialog is its class
    assert rows(paths) == ["007,move,cat,"]


def test_the_decision_on_the_chosen_image_is_undone_by_itself(serve, open_page, paths):
    page = open_page(serve())
    press(page, "k", "k", "Home", "Shift+U")
    assert rows(paths)[-1] == "007,undo,,"
    expect_chosen(page, "007")
    press(page, "Shift+U")
    toast(page, "You have not decided about this image")
    assert len(rows(paths)) == 3


def test_every_key_is_listed_and_its_button_works(serve, open_page):
    page = open_page(serve())
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys").locator("dt")).to_have_count(19)
    press(page, "k", "Escape")
    expect(page.locator("#numbers")).to_have_text("0 of 10 decided")
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_space_on_a_button_is_the_button_s(serve, open_page):
    page = open_page(serve())
    page.locator("#filters").get_by_role("button", name="rejected").focus()
    press(page, "Space")
    expect(page.locator("#filters [aria-current]")).to_have_text("rejected 4")
    expect(page.locator("#large")).to_be_hidden()


def test_many_decisions_typed_at_once_are_written_in_order_across_pages(serve_many, open_page, many):
    page = open_page(serve_many)
    for image in range(70):
        expect_chosen(page, f"{image:03}")  # the last of a page waits for the next one
        page.keyboard.press("k" if image % 3 else "r")  # its answer is not waited for
    press(page)
    assert rows(many) == [f"{image:03},{'keep' if image % 3 else 'reject'},cat," for image in range(70)]
    expect(page.locator("#page")).to_have_text("Page 2 of 3")
    expect(page.locator("#numbers")).to_have_text("70 of 150 decided")
    assert page.locator("#bar").evaluate("bar => bar.position") == pytest.approx(70 / 150)


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


def test_a_decision_that_the_server_does_not_take_is_not_shown_as_taken(serve, open_page, paths):
    server = serve()
    page = open_page(server)
    press(page, "k")
    server.stop()
    press(page, "r")
    toast(page, re.compile("^Not saved: the server does not answer; start it again"))
    expect_chosen(page, "both")
    expect(page.locator(".tile.is-saving")).to_have_count(0)
    expect(card(page, "both").first).not_to_have_accessible_name(re.compile("you reject it"))
    serve(server.port)
    press(page, "r")
    toast(page, "Saved: reject from cat")
    assert rows(paths) == ["007,keep,NA,", "both,reject,cat,"]


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


def test_nothing_is_wider_than_the_window_and_every_text_has_contrast(serve, open_page):
    page = open_page(serve())
    press(page, "k", "r", "2")
    for name in ("all", "kept", "suggestions", "groups", "rejected", "decided"):
        for width, scheme in itertools.product((900, 1280, 2560), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": 860})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(LOWEST_CONTRAST, ":disabled")[0] >= 4.5, page.evaluate(LOWEST_CONTRAST, ":disabled")
        press(page, "n")


def test_everything_that_can_be_operated_has_a_name(serve, open_page):
    page = open_page(serve(), "#filter=rejected")
    for element in page.locator("button:visible, input:visible, progress, dialog, .card, nav, ul").all():
        assert element.evaluate(
            "each => each.ariaLabel || each.textContent.trim() || each.getAttribute('aria-labelledby')"
        ), element.evaluate("each => each.outerHTML")
    expect(page.locator("#toasts")).to_have_attribute("aria-live", "polite")
    assert page.locator(".card[tabindex='0']").count() == 1  # one stop for the Tab key, arrows for the rest
