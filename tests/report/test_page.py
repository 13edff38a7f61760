"""The report in a real browser: it needs nothing from anywhere, fits a phone, and runs nothing."""

from itertools import pairwise

import pytest

from stages.report import run as report
from tests.contrast import LOWEST_CONTRAST
from tests.report.report_data import SPLIT, training_of, write_inputs

pytestmark = pytest.mark.slow

WIDTHS = [320, 390, 768, 1280]


def write(folder, **options):
    sources = write_inputs(folder / "data", **options)
    report.run(sources, SPLIT, training_of(), folder / "report.html", folder / "model_card.md")
    return folder / "report.html"


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    return write(tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Write a page with many classes, and with names that have no space for a line break."""

    def change(index):
        for column in ("title", "author", "licence", "source", "source_id"):
            index[column] = index[column] + "W" * 150

    names = [f"{letter * 40}" for letter in "abcdefghij"]
    return write(tmp_path_factory.mktemp("crowded"), classes=names, per_class=8, change=change)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    def change(index):
        index["title"] = (
            "<script>document.title = 'run'</script><img src=http://127.0.0.1:9/x onerror=document.title='run'>"
        )
        index["author"] = '"><style>body { display: none }</style>'
        index["page_url"] = "javascript:document.title='run'"

    return write(
        tmp_path_factory.mktemp("hostile"),
        classes=["</title><script>document.title='run'</script>", "b"],
        change=change,
    )


@pytest.fixture
def open_page(browser):
    """Open a file; an error in the console, or a request for anything but the file, fails the test."""
    complaints, requests, pages = [], [], []

    def open_page(file, **options):
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 860}, **options})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.evaluate("Promise.all([...document.images].map((each) => each.decode()))")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["ordinary", "crowded", "hostile"])
def test_nothing_is_wider_than_the_window(request, open_page, name, width):
    page = open_page(request.getfixturevalue(name), viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.scrollTo(1000, 0), window.scrollX") == 0


def test_every_image_loads(ordinary, open_page):
    page = open_page(ordinary)
    sizes = page.evaluate(
        "[...document.images].map((each) => [each.naturalWidth, each.naturalHeight, each.clientWidth])"
    )
    assert len(sizes) > 25
    assert all(all(side > 0 for side in each) for each in sizes)


def test_it_is_the_same_without_scripts(ordinary, browser):
    page = browser.new_page(java_script_enabled=False)
    page.goto(ordinary.as_uri())
    assert page.locator("h1").text_content() == "cat, dog or owl?"
    page.locator("#answers summary").click()
    assert page.locator("#answers tbody tr").first.is_visible()
    page.close()


def test_the_link_of_an_image_leads_to_its_credit(ordinary, open_page):
    page = open_page(ordinary)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    link = page.locator(".card a.image").first
    link.click()
    row = page.locator(f"tr{link.get_attribute('href')}")
    row.wait_for(state="visible")
    box = row.bounding_box()
    assert 0 <= box["y"] < 860


@pytest.mark.parametrize("width", [360, 1280])
def test_every_section_is_reached_by_its_link_and_lies_below_the_bar(ordinary, open_page, width):
    page = open_page(ordinary, viewport={"width": width, "height": 800})
    links = page.locator("nav a")
    assert links.count() == page.locator("main > [id]").count()
    for number in range(links.count()):
        links.nth(number).click()
        target = page.locator(links.nth(number).get_attribute("href"))
        bar = page.locator("nav").bounding_box()
        covered = bar["height"] if bar["width"] == width else 0
        at_end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
        assert at_end or covered <= target.bounding_box()["y"] <= covered + 140


def test_tables_scroll_inside_themselves(crowded, open_page):
    page = open_page(crowded, viewport={"width": 360, "height": 800})
    wider = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth).length"
    )
    assert wider > 3
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every((each) => each.tabIndex === 0 && each.ariaLabel)"
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_texts_of_drawings_are_legible(ordinary, open_page, width):
    page = open_page(ordinary, viewport={"width": width, "height": 800})
    heights = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map((each) =>"
        " parseFloat(getComputedStyle(each).fontSize) * each.ownerSVGElement.clientWidth / 360)"
    )
    assert len(heights) > 100
    assert min(heights) >= 9


@pytest.mark.parametrize("width", [360, 1280])
def test_no_text_of_a_drawing_covers_another(ordinary, open_page, width):
    page = open_page(ordinary, viewport={"width": width, "height": 800})
    assert page.evaluate(COVERED) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_text_has_contrast(ordinary, open_page, width, scheme):
    page = open_page(ordinary, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate(LOWEST_CONTRAST)[0] >= 4.5, page.evaluate(LOWEST_CONTRAST)


def test_headings_skip_no_level(ordinary, open_page):
    levels = open_page(ordinary).evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((each) => +each.tagName[1])"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_ids_are_unique_and_links_inside_lead_somewhere(ordinary, open_page):
    page = open_page(ordinary)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    targets = page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map((each) => each.hash.slice(1))")
    assert set(targets) <= set(ids)


def test_hostile_names_run_nothing_and_are_shown(hostile, open_page):
    page = open_page(hostile)
    assert page.title().endswith("?") and "run" not in page.title().replace("='run'", "")
    assert page.locator("script").count() == 0
    assert page.locator("h1").is_visible()
    assert "document.title='run'" in page.locator("h1").text_content()


def test_it_prints_without_the_bar(ordinary, open_page):
    page = open_page(ordinary)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("#networks table").is_visible()


# The pairs of texts in a drawing where one text covers a large part of the other.
COVERED = """() => [...document.querySelectorAll("svg.chart")].flatMap((chart) => {
  const boxes = [...chart.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([text, a], n) => boxes.slice(n + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.35 * Math.min(a.height, b.height),
  ).map(([other]) => `${text} | ${other}`));
})"""
