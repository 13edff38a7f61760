"""A manifest after another listing: what is new, changed or no longer listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.sources.listed_image import Listed
from stages.sources.manifest_file import name

SHOWN = 20  # lines of each kind of change


@dataclass(frozen=True)
class Merger:
    """A manifest's rows after another listing: all of them, and those that are new, no longer listed or changed."""

    rows: list[Listed]
    new: list[Listed]
    gone: list[Listed]
    changed: list[Listed]


def identify(image: Listed) -> tuple[str, str, str]:
    """What stays the same of an image when its title or address changes."""
    return image.source, image.class_, image.source_id


def contradict(key: tuple[str, str, str]) -> tuple[str, str, str]:
    """The same image in the opposite class, `not_…` or without that."""
    source, class_, source_id = key
    return source, class_.removeprefix("not_") if class_.startswith("not_") else f"not_{class_}", source_id


def merge(old: Iterable[Listed], listed: Iterable[Listed]) -> Merger:
    """The old rows and the listed ones, which win; what is gone from a listing stays, because listings move.

    What is listed in the opposite class now, a post that was given its tag since, has changed and stays in that only.
    """
    old = list(old)
    before = {identify(image): image for image in old}
    now: dict[tuple[str, str, str], Listed] = {}
    for image in listed:
        now.setdefault(identify(image), image)
    replaced = now.keys() | {contradict(key) for key in now}
    gone = [image for image in old if identify(image) not in replaced]
    is_known = {key: key in before or contradict(key) in before for key in now}
    return Merger(
        rows=[*gone, *now.values()],
        new=[image for key, image in now.items() if not is_known[key]],
        gone=gone,
        changed=[image for key, image in now.items() if is_known[key] and before.get(key) != image],
    )


def explain(merger: Merger, path: Path) -> str:
    """What a listing changed, in lines to read."""
    changes = (("new", merger.new), ("no longer listed", merger.gone), ("changed", merger.changed))
    lines = []
    for title, images in changes:
        lines += [f"{title}: {name(image)}" for image in images[:SHOWN]]
        lines += [f"{title}: {len(images) - SHOWN} more"] if len(images) > SHOWN else []
    numbers = ", ".join(f"{len(images)} {title}" for title, images in changes)
    return "\n".join([*lines, f"{path}: {len(merger.rows)} images, {numbers}."])
