import argparse

import pytest
from flask import abort, request

from stages.pages.local_server import make_app, port_number

ORIGIN = "http://127.0.0.1:8000"
LARGEST = 100  # bytes of a request's body


@pytest.fixture
def client(tmp_path):
    """A client of an application with a page, a request that answers, and a request that fails."""
    (tmp_path / "page.html").write_text("<p>the page")
    (tmp_path / "page.js").write_text("1;")
    app = make_app(tmp_path, "page.html", "application/json", LARGEST)
    app.add_url_rule("/api/answer", "answer", lambda: {"answer": 1})
    app.add_url_rule("/api/failure", "failure", lambda: abort(404, "class: expected cat, got dog."))
    app.add_url_rule("/api/decision", "decision", decide, methods=["POST"])
    return app.test_client()


def decide():
    return {"size": len(request.get_data())}


def get(client, path, base_url=ORIGIN, **headers):
    return client.get(path, base_url=base_url, headers=headers, buffered=True)


def post(client, data=b"{}", **headers):
    headers = {"Origin": ORIGIN, "Content-Type": "application/json"} | headers
    return client.post("/api/decision", base_url=ORIGIN, headers=headers, data=data)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000"])
def test_the_names_of_this_machine_are_served(client, host):
    for path in ("/", "/api/answer", "/pages/page.js"):
        assert get(client, path, Host=host).status_code == 200
    assert post(client, Host=host, Origin=f"http://{host}").status_code == 200


def test_at_port_80_browsers_leave_the_port_out(client):
    assert get(client, "/", "http://127.0.0.1").status_code == 200
    assert get(client, "/", "http://example.org").status_code == 403


@pytest.mark.parametrize(
    "host",
    ["example.org:8000", "127.0.0.1", "127.0.0.1:8001", "localhost:8000.example.org", "127.0.0.1:8000@x", ""],
)
def test_any_other_host_is_refused(client, host):
    for path in ("/", "/api/answer", "/pages/page.js"):
        assert get(client, path, Host=host).status_code == 403
    assert post(client, Host=host, Origin=f"http://{host}").status_code == 403


@pytest.mark.parametrize("origin", ["", "null", "http://example.org", "http://127.0.0.1:8001", "http://localhost:8000"])
def test_a_request_from_another_origin_is_refused(client, origin):
    reply = post(client, Origin=origin)
    assert reply.status_code == 403
    assert reply.json["error"].startswith("Origin: expected http://127.0.0.1:8000, got ")


@pytest.mark.parametrize(
    "type_", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"]
)
def test_a_body_of_another_type_is_refused(client, type_):
    assert post(client, **{"Content-Type": type_}).status_code == 415


def test_a_body_may_have_the_largest_size_and_no_larger_one(client):
    assert post(client, bytes(LARGEST)).json == {"size": LARGEST}
    assert post(client, bytes(LARGEST + 1)).status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/answer", "/api/failure", "/pages/page.js", "/none"])
def test_every_reply_lets_the_page_use_this_server_only_and_no_other_page_use_it(client, path):
    headers = get(client, path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == policy["frame-ancestors"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


def test_no_cache_keeps_a_reply_of_the_api(client):
    assert get(client, "/api/answer").headers["Cache-Control"] == "no-store"
    assert get(client, "/").headers["Cache-Control"] != "no-store"


def test_an_error_is_json_with_its_status(client):
    reply = get(client, "/api/failure")
    assert (reply.status_code, reply.json) == (404, {"error": "class: expected cat, got dog."})


def test_a_path_outside_the_folder_is_not_served(client, tmp_path):
    (tmp_path.parent / "secret.txt").write_text("secret")
    assert get(client, "/pages/../secret.txt").status_code == 404
    assert get(client, "/pages/%2e%2e/secret.txt").status_code == 404


def test_a_port_is_a_number_from_0_to_65535():
    assert [port_number("0"), port_number("65535")] == [0, 65535]
    for text in ("-1", "65536", "http", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected 0 to 65535, got '{text}'"):
            port_number(text)
