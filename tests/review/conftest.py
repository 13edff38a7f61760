import pytest

from stages.review.app import create_app
from stages.review.session import Session
from tests.page_server import PageServer
from tests.review.study import HEADER, STUDY, SUGGESTIONS, Api, write_study


@pytest.fixture
def paths(tmp_path, draw):
    """The study: three classes, an image in two of them, a file that is not an image, and suggestions."""
    paths = write_study(tmp_path, STUDY, draw)
    (paths.raw / "dog" / "dog3.png").write_bytes(b"no image")
    paths.suggestions.write_text(SUGGESTIONS)
    paths.reviews.write_text(HEADER)
    return paths


@pytest.fixture
def api(paths):
    return Api(paths)


@pytest.fixture
def many(tmp_path, draw):
    """150 images of one class, in groups of 25, and a group of 61."""
    rows = [(f"{n:03}", "cat", f"{n // 25 * 25:03}") for n in range(150)]
    paths = write_study(tmp_path, rows, lambda number: draw(0))
    paths.reviews.write_text(HEADER)
    return paths


@pytest.fixture
def serve(paths):
    """Serve the study from this process, as often as the test asks; every server is stopped after the test."""
    servers = []

    def serve(port=0):
        servers.append(PageServer(create_app(Session(paths)), port))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture
def serve_many(many):
    server = PageServer(create_app(Session(many)))
    yield server
    server.stop()


@pytest.fixture
def open_page(pages):
    """Open a server's page and wait for its tiles."""

    def open_page(server, tail="", **options):
        page = pages.open(server.url + tail, **options)
        page.locator(".tile.is-current").wait_for()
        return page

    return open_page
