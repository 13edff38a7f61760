"""Who gets the page: whoever knows its address, and nobody else who reaches the port."""

import pytest
from flask import Flask
from werkzeug.test import Client

from stages.pages.secret_address import REFUSAL, SecretAddress


@pytest.fixture
def secret():
    app = Flask(__name__)
    app.add_url_rule("/", "index", lambda: "the page")
    app.add_url_rule("/api/answer", "answer", lambda: "an answer")
    return SecretAddress(app)


def get(secret, path):
    reply = Client(secret).get(path)
    return reply.status_code, reply.text.strip()


def test_the_page_and_what_it_asks_for_lie_under_its_secret_path(secret):
    assert get(secret, secret.path) == (200, "the page")
    assert get(secret, f"{secret.path}api/answer") == (200, "an answer")
    assert len(secret.path) == 34


@pytest.mark.parametrize("change", [
    lambda path: "/", lambda path: "/api/answer", lambda path: "/favicon.ico", lambda path: path.upper(),
    lambda path: path[:-2] + "/", lambda path: f"/x{path}", lambda path: path.replace("/", "//"), lambda path: "/../",
    lambda path: path[:12], lambda path: "/\N{LATIN SMALL LETTER E WITH ACUTE}",
])  # fmt: skip
def test_any_other_path_gets_nothing(secret, change):
    assert get(secret, change(secret.path)) == (404, REFUSAL)


def test_a_ticket_leads_to_the_page_once(secret):
    reply = Client(secret).get(secret.ticket)
    assert (reply.status_code, reply.headers["Location"]) == (302, secret.path)
    assert get(secret, secret.ticket) == (404, REFUSAL)
    assert get(secret, secret.path) == (200, "the page")


def test_no_two_pages_have_the_same_secrets(secret):
    other = SecretAddress(Flask(__name__))
    assert len({secret.path, secret.ticket, other.path, other.ticket}) == 4
