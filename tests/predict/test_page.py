import base64
import hashlib
import io
import re
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from stages.classifier.learned_images import LEARNED
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.core import params
from stages.core.files import sha256, write_json
from stages.networks.answer_limits import LIMITS, REFERENCES
from stages.networks.layers import probabilities as last_layer
from stages.networks.novelty import NEAREST
from stages.predict.page import MAX_MEGABYTES, create_app
from stages.training.saving import save
from tests.contrast import LOWEST_CONTRAST
from tests.repositories import ROOT, warm_environment

pytestmark = pytest.mark.usefixtures("tensors")

ORIGIN = "http://127.0.0.1:8000"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
SIDE = 32
MODEL = {"model": "data/8_champion", "network": "vgg"}


def write_model(folder, classes):
    """A network that sees red, green and blue: one map for each, and the class of the strongest on average.

    The classes but the last three are never seen.
    """
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Rescaling(1 / 255)])
    model.add(keras.layers.Conv2D(3, 1, activation="relu"))
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(last_layer(len(classes)))
    kernel = np.full((1, 1, 3, 3), -0.5) + 1.5 * np.eye(3)[:, ::-1]  # a colour less half of each other one
    weights = np.zeros((3, len(classes)))
    weights[:, -3:] = 30 * np.eye(3)
    bias = np.array([-3.0 - number for number in range(len(classes) - 3)] + [0.0] * 3)
    model.set_weights([kernel, np.zeros(3), weights, bias])
    folder.mkdir(parents=True)
    save(model, folder / "model.keras")
    preprocessing = {"size": [SIDE, SIDE], "crop": "letterbox"}
    facts = {"network": "vgg", "classes": classes, "image_shape": [SIDE, SIDE, 3], "preprocessing": preprocessing}
    write_json(facts | {"backbone": {}}, folder / "network.json")
    return folder


def write_limits(folder):
    """Write limits of the network: it has seen red with some blue, and green."""
    limits = {"model": sha256(folder / "model.keras"), "novelty": 0.6, "least_probability": 0.05}
    write_json(limits, folder / LIMITS)
    np.save(folder / REFERENCES, np.repeat(np.array([[0.6, 0, 0.8], [0, 1, 0]], np.float16), NEAREST, axis=0))


def squares(**boxes):
    """The bytes of a white image with a square of each colour."""
    image, stream = Image.new("RGB", (SIDE, SIDE), "white"), io.BytesIO()
    for colour, box in boxes.items():
        image.paste(COLOURS[colour], box)
    image.save(stream, "PNG")
    return stream.getvalue()


RED_AND_BLUE = squares(red=(2, 2, 14, 14), blue=(22, 22, 30, 30))
BLUE = squares(blue=(0, 0, 20, 20))


@pytest.fixture(scope="module")
def study(tmp_path_factory, root):
    """A project with a champion of three classes that learned from one image, and one of twelve."""
    folder = tmp_path_factory.mktemp("study")
    write_model(folder / "data" / "8_champion", ["blue", "green", "red"])
    image_id = hashlib.sha256(RED_AND_BLUE).hexdigest()
    (folder / "data" / "8_champion" / LEARNED).write_text(f"image_id,class,phash\n{image_id},blue,{'f' * 16}\n")
    write_limits(folder / "data" / "8_champion")
    many = [f"a rather long name of a class, number {number}" for number in range(9)]
    write_model(folder / "many", [*many, "blue", "green", "red"])
    shutil.copy(root / "params.yaml", folder)
    (folder / "a.png").write_bytes(RED_AND_BLUE)
    (folder / "green.png").write_bytes(squares(green=(0, 0, 20, 20)))
    (folder / "blue.png").write_bytes(BLUE)
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def api(study):
    """The requests of the page to the application."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study)
        use = params.read(Use, *SECTIONS).model_copy(update={"threads": 1})
    classifier = open_classifier(study / "data" / "8_champion", study, use)
    client = create_app(classifier, MODEL).test_client()

    def post(path, content, **headers):
        headers = {"Origin": ORIGIN, "Content-Type": "application/octet-stream"} | headers
        return client.post(path, base_url=ORIGIN, headers=headers, data=content)

    def get(path, **options):
        return client.get(path, base_url=ORIGIN, buffered=True, **options)

    return SimpleNamespace(get=get, post=post, classifier=classifier)


def pixels(encoded):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def hottest(page):
    """The middle of the yellow places, as (x, y)."""
    yellow = np.minimum(page[..., 0], page[..., 1]) - page[..., 2]
    y, x = (float(positions.mean()) for positions in np.nonzero(yellow > yellow.max() - 10))
    return x, y


# --- what is answered


def test_the_model_is_named(api):
    assert api.get("/api/model").json == MODEL | {
        "classes": ["blue", "green", "red"], "size": [SIDE, SIDE], "crop": "letterbox", "max_megabytes": MAX_MEGABYTES,
    }  # fmt: skip


def test_an_image_is_answered_with_its_probabilities_and_what_the_network_sees(api):
    answer = api.post("/api/prediction", RED_AND_BLUE).json
    seen = np.asarray(Image.open(io.BytesIO(RED_AND_BLUE)))
    np.testing.assert_array_equal(pixels(answer["image"]), seen)
    assert [name for name, _ in answer["probabilities"]] == ["red", "blue", "green"]
    assert answer["learned"] == "it learned from this file, as blue"
    assert (answer["none_of_these"], answer["likely"]) == (False, ["red", "blue"])
    green = api.post("/api/prediction", squares(green=(0, 0, 20, 20))).json
    assert (green["learned"], green["none_of_these"], green["likely"]) == ("", False, ["green"])
    assert api.post("/api/prediction", BLUE).json["none_of_these"]
    expected = api.classifier.probabilities(seen[np.newaxis])[0]
    assert dict(answer["probabilities"]) == dict(zip(["blue", "green", "red"], map(float, expected), strict=True))


@pytest.mark.parametrize(("class_", "centre"), [("red", (8, 8)), ("blue", (26, 26))])
def test_the_heat_map_of_a_class_points_to_what_is_of_it(api, class_, centre):
    heat = pixels(api.post(f"/api/heat?class={class_}", RED_AND_BLUE).json["heat"])
    assert heat.shape == (SIDE, SIDE, 3)
    assert hottest(heat) == pytest.approx(centre, abs=1.5)


def test_a_class_that_there_is_not_is_named(api):
    reply = api.post("/api/heat?class=pink", RED_AND_BLUE)
    expected = "class: expected one of blue, green, red, got 'pink'."
    assert (reply.status_code, reply.json) == (404, {"error": expected})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "unreadable: cannot identify image file"),
        (b"hello", "unreadable: cannot identify image file"),
        (b"<html>", "wrong type: an HTML page"),
        (RED_AND_BLUE[:60], "truncated: image file is truncated"),
    ],
)
@pytest.mark.parametrize("path", ["/api/prediction", "/api/heat?class=red"])
def test_a_file_that_is_not_an_image_is_one_line(api, path, content, message):
    reply = api.post(path, content)
    assert reply.status_code == 422
    assert reply.json["error"].startswith(message)
    assert "\n" not in reply.json["error"]
    assert "/tmp" not in reply.json["error"]


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(api):
    stream = io.BytesIO()
    Image.new("1", (10_001, 10_000)).save(stream, "PNG")
    reply = api.post("/api/prediction", stream.getvalue())
    expected = "too large: 10001x10000, expected at most 100 megapixels"
    assert (reply.status_code, reply.json["error"]) == (422, expected)


@pytest.mark.slow
def test_images_that_come_at_once_are_all_answered(api):
    contents = [squares(**{colour: (0, 0, side, side)}) for colour in COLOURS for side in (9, 12, 15, 18)]
    answers = [None] * len(contents)

    def ask(number):
        path = "/api/prediction" if number % 2 else "/api/heat?class=red"
        answers[number] = api.post(path, contents[number])

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * len(contents)
    first = [answer.json["probabilities"][0][0] for answer in answers[1::2]]
    assert first == ["red"] * 2 + ["green"] * 2 + ["blue"] * 2


# --- other web sites


@pytest.mark.parametrize("host", ["example.org:8000", "127.0.0.1", "127.0.0.1:8001", "localhost:8000.example.org", ""])
def test_any_other_host_is_refused(api, host):
    for path in ("/", "/api/model", "/pages/predict.js"):
        assert api.get(path, headers={"Host": host}).status_code == 403
    reply = api.post("/api/prediction", RED_AND_BLUE, Host=host, Origin=f"http://{host}")
    assert reply.status_code == 403


@pytest.mark.parametrize("origin", ["", "null", "http://example.org", "http://127.0.0.1:8001", "http://localhost:8000"])
def test_an_image_from_another_origin_is_refused(api, origin):
    reply = api.post("/api/prediction", RED_AND_BLUE, Origin=origin)
    assert reply.status_code == 403
    assert reply.json["error"].startswith("Origin: expected http://127.0.0.1:8000, got ")


@pytest.mark.parametrize(
    "type_", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"]
)
def test_what_another_page_can_send_unasked_is_refused(api, type_):
    assert api.post("/api/prediction", RED_AND_BLUE, **{"Content-Type": type_}).status_code == 415


@pytest.mark.parametrize("path", ["/", "/api/model", "/pages/predict.js", "/none"])
def test_every_answer_lets_the_page_use_this_server_only_and_no_other_page_use_it(api, path):
    headers = api.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == policy["frame-ancestors"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


def test_what_is_said_of_an_image_is_kept_by_no_cache(api):
    assert api.post("/api/prediction", RED_AND_BLUE).headers["Cache-Control"] == "no-store"


def test_a_body_may_be_so_large_and_no_larger(api):
    largest = int(MAX_MEGABYTES * 1e6)
    assert api.post("/api/prediction", bytes(largest)).status_code == 422
    assert api.post("/api/prediction", bytes(largest + 1)).status_code == 413


def test_no_image_is_left_on_the_disk(api, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert api.post("/api/prediction", squares(green=(1, 1, 9, 9))).status_code == 200
    assert api.post("/api/prediction", b"hello").status_code == 422
    assert list(tmp_path.iterdir()) == []


# --- the command


class Server:
    """The command in a process of its own."""

    def __init__(self, study, *options):
        self.process = subprocess.Popen(
            ["python", "-m", "stages.predict", "--serve", "--no-browser", *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=study,
            env=warm_environment() | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.first = self.process.stdout.readline()
        self.url = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", self.first).group()
        self.port = int(re.search(r":(\d+)/", self.url).group(1))

    def stop(self, signal_=signal.SIGINT):
        self.process.send_signal(signal_)
        output, _ = self.process.communicate(timeout=30)
        return self.process.returncode, output


@pytest.fixture(scope="module")
def server(study):
    server = Server(study)
    yield server
    with server.process:
        server.process.kill()


@pytest.mark.slow
def test_the_command_serves_this_machine_until_ctrl_c(study):
    server = Server(study)
    assert server.first == f"predict at {server.url} with vgg of data/8_champion; Ctrl-C ends it\n"
    with urllib.request.urlopen(server.url) as reply:
        assert reply.status == 200
    # Another address of the same machine: whoever listens on all of them would answer.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port))
    assert server.stop() == (0, "")


@pytest.mark.slow
def test_a_port_in_use_is_one_line(study):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            ["python", "-m", "stages.predict", "--serve", f"--port={taken.getsockname()[1]}"],
            capture_output=True, text=True, check=False, cwd=study, env=warm_environment() | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "Address already in use" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


# --- the page in a browser


@pytest.fixture
def open_page(pages):
    """Open a server's page and wait until it names the model."""

    def open_page(server, **options):
        page = pages.open(server.url, **options)
        expect(page.locator("#about")).not_to_be_empty()
        return page

    open_page.asked = pages.asked
    return open_page


def expect_answer(page, name, predicted, seen=None):
    """The page says so of the file, and shows where it saw the class."""
    expect(page.locator("#name")).to_have_text(name)
    expect(page.locator("#predicted")).to_have_text(re.compile(rf"^{predicted} \d+\.\d %$"))
    expect(page.locator("#heat-caption")).to_have_text(f"Where it saw {seen or predicted}")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#main.is-waiting")).to_have_count(0)


def canvas(page, name):
    """The pixels of a canvas as they are on the page."""
    data = page.locator(f"#{name}").evaluate("canvas => canvas.toDataURL('image/png')")
    return pixels(data.split(",")[1])


def carry(page, event, files):
    """Drop or paste files, given as {name: bytes}."""
    named = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
    page.evaluate(
        """([event, named]) => {
            const carried = new DataTransfer();
            for (const [name, content] of named) {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                carried.items.add(new File([bytes], name));
            }
            if (!named.length) carried.setData("text/plain", "words");
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === "paste"
                ? new ClipboardEvent(event, { ...options, clipboardData: carried })
                : new DragEvent(event, { ...options, dataTransfer: carried }));
        }""",
        [event, named],
    )


@pytest.mark.slow
def test_a_chosen_image_is_seen_judged_and_explained(server, open_page, study):
    page = open_page(server)
    expect(page.locator("#about")).to_have_text("vgg of data/8_champion")
    expect(page.locator("#known")).to_have_text("It knows 3 classes: blue, green, red")
    expect(page.locator("#result")).to_be_hidden()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose an image").click()
    chooser.value.set_files(study / "a.png")
    expect_answer(page, "a.png", "red")
    expect(page.locator("#learned")).to_contain_text("Note: it learned from this file, as blue.")
    expect(page.locator("#note")).to_have_text("It may also be blue.")
    np.testing.assert_array_equal(canvas(page, "image"), np.asarray(Image.open(study / "a.png")))
    assert hottest(canvas(page, "heat")) == pytest.approx((8, 8), abs=1.5)
    rows = page.locator(".class")
    expect(rows).to_have_count(3)
    shown = [row.inner_text().split("\n") for row in rows.all()]
    assert [names[0] for names in shown] == ["red", "blue", "green"]
    shares = [float(names[-1].removesuffix(" %")) for names in shown]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    bars = [bar.evaluate("bar => bar.position * 100") for bar in page.locator("progress").all()]
    assert bars == pytest.approx(shares, abs=0.05)
    widths = page.locator("progress").evaluate_all("bars => bars.map((bar) => bar.getBoundingClientRect().width)")
    assert len(set(widths)) == 1


@pytest.mark.slow
def test_an_image_unlike_all_that_it_learned_from_is_none_of_these(server, open_page, study):
    page = open_page(server)
    page.set_input_files("#file", study / "blue.png")
    expect(page.locator("#predicted")).to_contain_text("None of these if it must be, blue")
    expect(page.locator("#note")).to_have_text("This image is unlike all that the network learned from.")
    expect(page.locator("#status")).to_contain_text("blue.png: None of these, if it must be, blue")
    page.set_input_files("#file", study / "green.png")
    expect(page.locator("#predicted")).to_contain_text("green")
    expect(page.locator("#note")).to_be_hidden()


@pytest.mark.slow
def test_another_classs_heat_map_is_shown_when_it_is_chosen(server, open_page, study):
    page = open_page(server)
    page.set_input_files("#file", study / "a.png")
    expect_answer(page, "a.png", "red")
    page.locator(".class", has_text="blue").click()
    expect_answer(page, "a.png", "red", seen="blue")
    assert hottest(canvas(page, "heat")) == pytest.approx((26, 26), abs=1.5)
    expect(page.locator("#heat")).to_have_accessible_name(re.compile("^Where the network saw blue"))


@pytest.mark.slow
def test_with_the_keyboard_alone_an_image_is_chosen_and_explained(server, open_page, study):
    page = open_page(server)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choose an image")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(study / "a.png")
    expect_answer(page, "a.png", "red")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="red")).to_be_focused()
    expect(page.locator(".class", has_text="red")).to_have_css("outline-style", "solid")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="blue")).to_be_checked()
    expect_answer(page, "a.png", "red", seen="blue")


@pytest.mark.slow
@pytest.mark.parametrize("event", ["drop", "paste"])
def test_an_image_is_dropped_or_pasted(server, open_page, event):
    page = open_page(server)
    carry(page, event, {"mine.png": RED_AND_BLUE})
    expect_answer(page, "mine.png", "red")
    carry(page, event, {"other.png": squares(green=(0, 0, 20, 20)), "mine.png": RED_AND_BLUE})
    expect_answer(page, "other.png, the first of 2", "green")
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^other\.png: green, \d+\.\d %$"))


@pytest.mark.slow
def test_the_frame_shows_that_it_takes_what_is_dragged(server, open_page):
    page = open_page(server)
    carry(page, "dragover", {"mine.png": RED_AND_BLUE})
    expect(page.locator("body.is-over")).to_have_count(1)
    carry(page, "dragleave", {"mine.png": RED_AND_BLUE})
    expect(page.locator("body.is-over")).to_have_count(0)
    carry(page, "dragover", {})
    expect(page.locator("body.is-over")).to_have_count(0)


@pytest.mark.slow
def test_the_same_file_can_be_chosen_again(server, open_page, study):
    page = open_page(server)
    for _ in range(2):
        with page.expect_response("**/api/prediction"):
            page.set_input_files("#file", study / "a.png")
        expect_answer(page, "a.png", "red")


@pytest.mark.slow
def test_a_file_that_is_not_an_image_gets_its_one_line_and_leaves_the_last_answer(server, open_page, study):
    page = open_page(server)
    page.set_input_files("#file", study / "notes.txt")
    line = "notes.txt: expected an image, got: unreadable: cannot identify image file."
    expect(page.get_by_role("alert")).to_have_text(line)
    expect(page.locator("#result")).to_be_hidden()
    page.set_input_files("#file", study / "a.png")
    expect_answer(page, "a.png", "red")
    expect(page.locator("#problem")).to_be_hidden()
    page.set_input_files("#file", study / "notes.txt")
    expect(page.get_by_role("alert")).to_have_text(line)
    expect_answer(page, "a.png", "red")


@pytest.mark.slow
@pytest.mark.parametrize("event", ["drop", "paste"])
def test_text_that_is_dropped_or_pasted_gets_its_line(server, open_page, event):
    page = open_page(server)
    carry(page, event, {})
    expect(page.get_by_role("alert")).to_have_text(re.compile("^Expected an? (file|image to be pasted), got "))
    assert page.url == server.url


@pytest.mark.slow
def test_a_file_too_large_is_refused_before_it_is_sent(server, open_page, tmp_path):
    page = open_page(server)
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(int(MAX_MEGABYTES * 1e6) + 100_000)
    page.set_input_files("#file", tmp_path / "large.png")
    expected = f"large.png: expected at most {MAX_MEGABYTES} megabytes, got {MAX_MEGABYTES}.1."
    expect(page.get_by_role("alert")).to_have_text(expected)
    assert not any("/api/prediction" in url for url in open_page.asked)


@pytest.mark.slow
def test_names_of_files_and_classes_are_text_and_no_markup(server, open_page):
    page = open_page(server)
    carry(page, "drop", {"<img src=x onerror=alert(1)>.png": RED_AND_BLUE})
    expect_answer(page, "<img src=x onerror=alert(1)>.png", "red")
    carry(page, "drop", {"<b>no</b>": b"hello"})
    expect(page.get_by_role("alert")).to_have_text(re.compile("^<b>no</b>: expected an image"))


@pytest.mark.slow
def test_the_answer_to_the_last_image_stands_whatever_comes_late(server, open_page):
    page = open_page(server)
    answers = []

    def hold(route):
        answers.append(route) if not answers else route.continue_()

    page.route("**/api/prediction", hold)
    carry(page, "drop", {"first.png": RED_AND_BLUE})
    expect(page.locator("#status")).to_have_text("Looking at first.png …")
    carry(page, "drop", {"second.png": squares(green=(0, 0, 20, 20))})
    expect_answer(page, "second.png", "green")
    answers[0].continue_()
    page.wait_for_timeout(500)
    expect_answer(page, "second.png", "green")


@pytest.mark.slow
def test_a_server_that_has_ended_is_said(study, open_page):
    server = Server(study)
    page = open_page(server)
    server.stop(signal.SIGKILL)
    page.set_input_files("#file", study / "a.png")
    expect(page.get_by_role("alert")).to_contain_text("start it again: python -m stages.predict --serve")


@pytest.mark.slow
def test_nothing_is_asked_of_any_other_server(server, open_page, study):
    page = open_page(server)
    page.set_input_files("#file", study / "a.png")
    expect_answer(page, "a.png", "red")
    assert {url.split("/")[2] for url in open_page.asked} == {f"127.0.0.1:{server.port}"}


@pytest.mark.slow
def test_of_many_classes_the_first_are_shown_and_the_others_on_demand(study, open_page):
    server = Server(study, "--model", "many")
    try:
        page = open_page(server, viewport={"width": 360, "height": 740})
        page.set_input_files("#file", study / "a.png")
        expect_answer(page, "a.png", "red")
        expect(page.locator(".class:visible")).to_have_count(8)
        page.get_by_role("button", name="Show all 12 classes").click()
        expect(page.locator(".class:visible")).to_have_count(12)
        expect(page.locator("#all")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    finally:
        with server.process:
            server.process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 760, 1280, 2560])
def test_nothing_is_wider_than_the_window_and_every_text_has_contrast(server, open_page, study, width, scheme):
    page = open_page(server, viewport={"width": width, "height": 860}, color_scheme=scheme)
    for file in (None, "a.png", "notes.txt"):
        if file:
            page.set_input_files("#file", study / file)
        if file == "a.png":
            expect_answer(page, "a.png", "red")
        if file == "notes.txt":
            expect(page.get_by_role("alert")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(LOWEST_CONTRAST)[0] >= 4.5, page.evaluate(LOWEST_CONTRAST)


@pytest.mark.slow
def test_everything_that_can_be_operated_has_a_name(server, open_page, study):
    page = open_page(server)
    page.set_input_files("#file", study / "a.png")
    expect_answer(page, "a.png", "red")
    for role in ("button", "radio", "img", "group", "region"):
        for element in page.get_by_role(role).all():
            expect(element).to_have_accessible_name(re.compile("."))
    assert page.get_by_role("radio").count() == 3
    assert page.get_by_role("img").count() == 2
    headings = page.locator("h1, h2").evaluate_all("each => each.map((heading) => heading.tagName)")
    assert headings == ["H1", "H2"]
