"""Keys from the environment, and their removal from what a server sends back before it is written or shown."""

import base64
import html
import json
import os
import re
from typing import Any
from urllib.parse import quote

SHORTEST = 8  # characters; a shorter key is not looked for, because it can stand in an answer by chance

_names: dict[str, str] = {}  # the name of the key that each text gives away, in lower case


def read_variable(name: str) -> str:
    """Return the value of the environment variable, or "" if it is not set.

    Raises:
        ValueError: The value cannot be sent in a header. The message does not show the value.
    """
    value = os.environ.get(name, "")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"environment {name}: expected ASCII letters, digits and signs, got another character.")
    return value


def read_key(name: str) -> str:
    """Return the value of the environment variable, or "" if it is not set, and hide it from now on.

    Raises:
        ValueError: The value cannot be sent in a header. The message does not show the value.
    """
    value = read_variable(name)
    remember(value, name)
    return value


def encode_account(login: str, key: str, name: str) -> str:
    """Return the header that shows an account to a server (RFC 7617), which is hidden from now on as its key is."""
    encoded = base64.b64encode(f"{login}:{key}".encode()).decode()
    remember(encoded, name)
    return f"Basic {encoded}"


def remember(value: str, name: str) -> None:
    """Let `hide` put the name in place of the value, as it stands or as JSON, HTML or an address writes it."""
    if len(value) >= SHORTEST:
        in_json, in_html = json.dumps(value)[1:-1], html.escape(value)
        forms = (
            value, in_json, in_json.replace("/", r"\/"), in_html, in_html.replace("&#x27;", "&#39;"), quote(value),
            quote(value, safe=""),
        )  # fmt: skip
        _names.update(dict.fromkeys(map(str.lower, forms), name))


def hide(text: str) -> str:
    """Return the text with the name of a key, in brackets, wherever the key stood, in capitals or not."""
    if not _names:
        return text
    longest_first = sorted(_names, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE | re.ASCII)
    return pattern.sub(lambda found: f"[{_names[found[0].lower()]}]", text)


def hide_in(answer: Any) -> Any:
    """Return an answer that was read from JSON, with keys hidden in all its texts, the keys of its tables included."""
    if isinstance(answer, str):
        return hide(answer)
    if isinstance(answer, list):
        return [hide_in(part) for part in answer]
    if isinstance(answer, dict):
        return {hide(key): hide_in(value) for key, value in answer.items()}
    return answer


def quote_start(content: bytes, length: int) -> str:
    """Return how an answer begins, as Python writes it; keys are hidden before it is cut, so that no part is left."""
    return repr(hide(content.decode("latin-1")).encode("latin-1")[:length])
