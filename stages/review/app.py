"""The web application of the review: what each request of the page answers."""

import io
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request
from PIL import Image

from stages.images.opening import UnusableImage
from stages.images.reading import read_pixels
from stages.pages.local_server import make_app
from stages.review.gallery import FILTERS
from stages.review.page_data import next_undecided, overview, page
from stages.review.session import Session

SMALL, LARGE = 320, 1280  # pixels; the large view enlarges no image beyond SMALL
MAX_BODY = 64 * 1024  # bytes
STATIC = Path(__file__).with_name("static")


def create_app(session: Session) -> Flask:
    """Return the web application: the page, its tiles, its images, and the request that takes decisions."""
    app = make_app(STATIC, "review.html", "application/json", MAX_BODY)
    app.add_url_rule("/api/page", "page", partial(get_page, session))
    app.add_url_rule("/api/next", "next", partial(get_next, session))
    app.add_url_rule("/api/decisions", "decisions", partial(post_decision, session), methods=["POST"])
    app.add_url_rule("/small/<image_id>", "small", partial(get_image, session, is_large=False))
    app.add_url_rule("/large/<image_id>", "large", partial(get_image, session, is_large=True))
    return app


def requested_listing(session: Session) -> tuple[str, str]:
    """Return the filter and the class that the request names; an empty class means all classes."""
    name, class_ = request.args.get("filter", "all"), request.args.get("class", "")
    if name not in FILTERS:
        abort(400, f"filter: expected one of {', '.join(FILTERS)}, got {name!r}.")
    if class_ and class_ not in session.gallery.classes:
        abort(404, f"class: expected one of {', '.join(session.gallery.classes)}, got {class_!r}.")
    return name, class_


def get_page(session: Session) -> dict[str, Any]:
    """Return a page of tiles, with the counts and messages around the tiles."""
    return page(session, *requested_listing(session), request.args.get("page", type=int))


def get_next(session: Session) -> dict[str, Any]:
    """Return the page and position of the next undecided tile, or null."""
    return {"next": next_undecided(session, *requested_listing(session), request.args.get("after", -1, type=int))}


def post_decision(session: Session) -> tuple[dict[str, Any], int]:
    """Write a decision or an undo to the disk; return what was done or undone, with the new counts."""
    body = request.get_json()
    keys = ("image_id", "decision", "class", "reason")
    if not isinstance(body, dict) or not all(isinstance(body.get(key, ""), str) for key in keys):
        abort(400, f"body: expected an object of texts {', '.join(keys)}.")
    image_id, decision, class_, reason = (body.get(key, "") for key in keys)
    name, shown = requested_listing(session)
    try:
        is_undo = decision == "undo"
        done = session.undo(image_id) if is_undo else session.decide(image_id, decision, class_, reason)
    except (ValueError, OSError) as error:
        return {"error": str(error)}, 409
    return overview(session, name, shown) | {"undone" if is_undo else "done": asdict(done)}, 200


def get_image(session: Session, image_id: str, *, is_large: bool) -> Response:
    """Return an image as JPEG, or a text that says why the image cannot be shown."""
    rows = session.gallery.rows_of.get(image_id)
    if not rows:
        abort(404, f"image_id: expected an image of the data, got {image_id!r}.")
    record = session.gallery.record(rows[0])
    longest = max((int(record[side]) for side in ("width", "height") if record[side].isdecimal()), default=LARGE)
    side = min(max(longest, SMALL), LARGE) if is_large else SMALL
    try:
        content = (encode_large if is_large else encode_small)(session.paths.raw / record["file"], side)
    except (UnusableImage, OSError) as error:
        return Response(str(error), 422, mimetype="text/plain")
    return Response(content, mimetype="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


def encode_jpeg(path: Path, side: int) -> bytes:
    """Return the image on a white square of `side` x `side` pixels, as JPEG.

    Raises:
        UnusableImage: The file cannot be decoded.
    """
    stream = io.BytesIO()
    Image.fromarray(read_pixels(path, (side, side), "letterbox")).save(stream, "JPEG", quality=90, subsampling=0)
    return stream.getvalue()


encode_small, encode_large = lru_cache(maxsize=2000)(encode_jpeg), lru_cache(maxsize=50)(encode_jpeg)
