"""An address that only one person knows: whoever else reaches the port, such as another account, gets nothing.

The page lies under a path that nobody can guess. The browser is started with another address, which leads there once
and never again, because all accounts of a machine can see what each program was started with. An account that asks with
it before the browser does gets the page, and the browser does not.
"""

import secrets
import threading
from collections.abc import Iterable
from hmac import compare_digest
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

REFUSAL = "expected the whole address that the command printed"


class SecretAddress:
    """A web application under a secret `path`, such as `/3q…/`; `ticket` is a path that leads there once."""

    def __init__(self, app: Flask) -> None:
        self.path = f"/{secrets.token_urlsafe(24)}/"
        self.ticket = f"/{secrets.token_urlsafe(24)}"
        self._lock, self._is_used = threading.Lock(), False
        refuse: WSGIApplication = Response(f"{REFUSAL}\n", 404)
        self._inner = DispatcherMiddleware(refuse, {self.path.rstrip("/"): app.wsgi_app})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI has it."""
        if self.take(environ.get("PATH_INFO", "")):
            return redirect(self.path)(environ, start_response)
        return self._inner(environ, start_response)

    def take(self, path: str) -> bool:
        """Return whether the path is the ticket, and take it, so that it is worth nothing afterwards."""
        with self._lock:
            is_valid = not self._is_used and compare_digest(path.encode(), self.ticket.encode())
            self._is_used |= is_valid
            return is_valid
