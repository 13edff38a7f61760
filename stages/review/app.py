"""Review: a page in the browser on which a person decides about single images; `clean` heeds it in the next run."""

import io
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request
from PIL import Image

from stages.images.reading import UnusableImage, read_pixels
from stages.pages.local_server import make_app
from stages.review.gallery import FILTERS
from stages.review.page_data import next_undecided, overview, page
from stages.review.session import Session

SMALL, LARGE = 320, 1280  # pixels; a small picture is not blown up beyond the first
MAX_BODY = 64 * 1024  # bytes
STATIC = Path(__file__).with_name("static")


def create_app(session: Session) -> Flask:
    """The web application of a review: the page, its tiles and pictures, and the way for decisions."""
    app = make_app(STATIC, "review.html", "application/json", MAX_BODY)
    app.add_url_rule("/api/page", "page", partial(get_page, session))
    app.add_url_rule("/api/next", "next", partial(get_next, session))
    app.add_url_rule("/api/decisions", "decisions", partial(post_decision, session), methods=["POST"])
    app.add_url_rule("/small/<image_id>", "small", partial(get_picture, session, is_large=False))
    app.add_url_rule("/large/<image_id>", "large", partial(get_picture, session, is_large=True))
    return app


def asked(session: Session) -> tuple[str, str]:
    """The filter and the class that a request names; an empty class means all."""
    name, class_ = request.args.get("filter", "all"), request.args.get("class", "")
    if name not in FILTERS:
        abort(400, f"filter: expected one of {', '.join(FILTERS)}, got {name!r}.")
    if class_ and class_ not in session.gallery.classes:
        abort(404, f"class: expected one of {', '.join(session.gallery.classes)}, got {class_!r}.")
    return name, class_


def get_page(session: Session) -> dict[str, Any]:
    """A page of tiles and what stands around it."""
    return page(session, *asked(session), request.args.get("page", type=int))


def get_next(session: Session) -> dict[str, Any]:
    """Where the next undecided tile is, or null."""
    return {"next": next_undecided(session, *asked(session), request.args.get("after", -1, type=int))}


def post_decision(session: Session) -> tuple[dict[str, Any], int]:
    """What now stands, or what no more; it is on the disk when the answer comes."""
    body = request.get_json()
    keys = ("image_id", "decision", "class", "reason")
    if not isinstance(body, dict) or not all(isinstance(body.get(key, ""), str) for key in keys):
        abort(400, f"body: expected an object of texts {', '.join(keys)}.")
    image_id, decision, class_, reason = (body.get(key, "") for key in keys)
    name, shown = asked(session)
    try:
        is_undo = decision == "undo"
        done = session.undo(image_id) if is_undo else session.decide(image_id, decision, class_, reason)
    except (ValueError, OSError) as error:
        return {"error": str(error)}, 409
    return overview(session, name, shown) | {"undone" if is_undo else "done": asdict(done)}, 200


def get_picture(session: Session, image_id: str, *, is_large: bool) -> Response:
    """A picture as JPEG, or as text why it cannot be shown."""
    rows = session.gallery.rows_of.get(image_id)
    if not rows:
        abort(404, f"image_id: expected an image of the data, got {image_id!r}.")
    tile = session.gallery.record(rows[0])
    longest = max((int(tile[side]) for side in ("width", "height") if tile[side].isdecimal()), default=LARGE)
    side = min(max(longest, SMALL), LARGE) if is_large else SMALL
    try:
        content = (encode_large if is_large else encode_small)(session.paths.raw / tile["file"], side)
    except UnusableImage as error:
        return Response(str(error), 422, mimetype="text/plain")
    return Response(content, mimetype="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


def encode(path: Path, side: int) -> bytes:
    """The picture on a white square with sides of so many pixels, as JPEG.

    Raises:
        UnusableImage: it cannot be decoded.
    """
    stream = io.BytesIO()
    Image.fromarray(read_pixels(path, (side, side), "letterbox")).save(stream, "JPEG", quality=90, subsampling=0)
    return stream.getvalue()


encode_small, encode_large = lru_cache(maxsize=2000)(encode), lru_cache(maxsize=50)(encode)
