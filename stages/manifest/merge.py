"""The merge of a manifest with a new listing: new, changed and no longer listed images."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.sources.listed_image import Listed
from stages.sources.manifest_file import describe_image

SHOWN = 20  # the most lines for each kind of change


@dataclass(frozen=True)
class Merger:
    """A manifest's rows after a new listing: all rows, the new, the no longer listed and the changed rows."""

    rows: list[Listed]
    new: list[Listed]
    gone: list[Listed]
    changed: list[Listed]


def key_of(image: Listed) -> tuple[str, str, str]:
    """Return the facts of an image that stay the same when its title or address changes."""
    return image.source, image.class_, image.source_id


def opposite_key(key: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return the key of the same image in the opposite class, with `not_` added or removed."""
    source, class_, source_id = key
    return source, class_.removeprefix("not_") if class_.startswith("not_") else f"not_{class_}", source_id


def merge(old: Iterable[Listed], listed: Iterable[Listed]) -> Merger:
    """Merge the old rows with the listed ones, which replace old rows with the same key.

    An image that is no longer listed stays, because a listing often shows only the newest images. An image that is now
    listed in the opposite class, such as a post that got the tag since, counts as changed and stays in that class only.
    """
    old = list(old)
    before = {key_of(image): image for image in old}
    now: dict[tuple[str, str, str], Listed] = {}
    for image in listed:
        now.setdefault(key_of(image), image)
    replaced = now.keys() | {opposite_key(key) for key in now}
    gone = [image for image in old if key_of(image) not in replaced]
    is_known = {key: key in before or opposite_key(key) in before for key in now}
    return Merger(
        rows=[*gone, *now.values()],
        new=[image for key, image in now.items() if not is_known[key]],
        gone=gone,
        changed=[image for key, image in now.items() if is_known[key] and before.get(key) != image],
    )


def describe_changes(merger: Merger, path: Path) -> str:
    """Return the changes of a listing as lines of text."""
    changes = (("new", merger.new), ("no longer listed", merger.gone), ("changed", merger.changed))
    lines = []
    for title, images in changes:
        lines += [f"{title}: {describe_image(image)}" for image in images[:SHOWN]]
        lines += [f"{title}: {len(images) - SHOWN} more"] if len(images) > SHOWN else []
    numbers = ", ".join(f"{len(images)} {title}" for title, images in changes)
    return "\n".join([*lines, f"{path}: {len(merger.rows)} images, {numbers}."])
