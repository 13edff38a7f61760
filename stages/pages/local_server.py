"""A page in the browser for one person: no other web site or account can use the page, and the page uses no other."""

import logging
import socket
import threading
import webbrowser
from argparse import ArgumentTypeError
from functools import partial
from pathlib import Path

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from stages.pages.secret_address import SecretAddress

ADDRESS = "127.0.0.1"
LOOPBACK = (ADDRESS, "localhost")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app(folder: Path, page: str, body_type: str, max_body: int) -> Flask:
    """Return a web application that serves a page; the caller adds the requests that the page makes.

    Args:
        folder: The folder of the page and of all files that the page loads.
        page: The file name of the page.
        body_type: The only media type that the page may send; choose one that no form of another web site can send.
        max_body: The largest body of a request, in bytes.
    """
    app = Flask(__name__, static_folder=folder, static_url_path="/pages")
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.before_request(partial(refuse_strangers, body_type))
    app.after_request(add_headers)
    app.register_error_handler(HTTPException, error_as_json)
    app.add_url_rule("/", "index", partial(app.send_static_file, page))
    return app


def refuse_strangers(body_type: str) -> None:
    """Refuse a request that does not come from our own page under one of this machine's own names."""
    host, port = request.headers.get("Host", ""), request.environ["SERVER_PORT"]
    if host not in {f"{name}:{port}" for name in LOOPBACK} | (set(LOOPBACK) if port == "80" else set()):
        abort(403, f"Host: expected {' or '.join(LOOPBACK)} with port {port}, got {host!r}.")
    if request.method == "POST":
        origin = request.headers.get("Origin", "")
        if origin != f"http://{host}":
            abort(403, f"Origin: expected http://{host}, got {origin!r}.")
        if request.mimetype != body_type:
            abort(415, f"Content-Type: expected {body_type}, got {request.mimetype!r}.")


def add_headers(response: Response) -> Response:
    """Add the headers that let our page use this server only, and that keep other pages from using this server."""
    response.headers.update(HEADERS)
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    return response


def error_as_json(error: HTTPException) -> tuple[dict[str, str | None], int]:
    """Return what is wrong with a request, as JSON, and the HTTP status."""
    return {"error": error.description}, error.code or 500


def serve(app: Flask, port: int, name: str, about: str, *, is_shown: bool) -> None:
    """Serve the page at a secret address until Ctrl-C; print one line with the page's name, address and subject."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with socket.create_server((ADDRESS, port)) as listener:
        port = listener.getsockname()[1]
        secret = SecretAddress(app)
        server = make_server(ADDRESS, port, secret, threaded=True, fd=listener.fileno())
        print(f"{name} at http://{ADDRESS}:{port}{secret.path} {about}; Ctrl-C ends it", flush=True)
        if is_shown:
            address = f"http://{ADDRESS}:{port}{secret.ticket}"
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        server.serve_forever()  # until KeyboardInterrupt, which it takes for an end


def port_number(text: str) -> int:
    """Return the number of a port; 0 stands for any free port.

    Raises:
        ArgumentTypeError: The text is not a number from 0 to 65535.
    """
    if not text.isdecimal() or not 0 <= int(text) < 65536:
        raise ArgumentTypeError(f"expected 0 to 65535, got {text!r}")
    return int(text)
