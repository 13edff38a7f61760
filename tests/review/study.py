"""A small study to review, and the requests of the page to its application."""

import json

import pandas as pd

from stages.images.decisions import COLUMNS
from stages.review.app import create_app
from stages.review.session import Paths, Session

HEADER = ",".join(COLUMNS) + "\n"
NOON = "2026-11-21T12:00:00Z"
ORIGIN = "http://127.0.0.1:8000"

# image_id, class, and the verdict of clean: the group of a kept image, or (reason, twin, distance).
STUDY = [
    ("cat1", "cat", "cat1"),
    ("cat2", "cat", "cat1"),
    ("cat3", "cat", ("near-duplicate", "cat1", "3")),
    ("cat4", "cat", "cat4"),
    ("dog1", "dog", "cat4"),
    ("dog2", "dog", "dog2"),
    ("dog3", "dog", ("unreadable", "", "")),
    ("both", "cat", ("conflict", "both", "0")),
    ("both", "dog", ("conflict", "both", "0")),
    ("007", "NA", "007"),
    ("007", "NA", ("duplicate", "007", "0")),
]
SUGGESTIONS = (
    "image_id,class,kind,suggested,score\ncat4,cat,mislabelled,dog,0.7\ndog2,dog,outlier,,0.9\n"
    "cat1,cat,mislabelled,dog,0.2\ncat1,cat,outlier,,0.1\ncat3,cat,outlier,,1\n"
)


def write_study(folder, rows, draw):
    """The raw images and the tables of clean, as `read_tiles` expects them."""
    raw, cleaned = folder / "raw", folder / "clean"
    images, kept, rejected = [], [], []
    for number, (image_id, class_, verdict) in enumerate(rows):
        file = raw / class_ / f"{image_id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(number).save(file)
        row = {"image_id": image_id, "class": class_, "source_id": f"{class_}/{number}", "title": f"Title {image_id}"}
        row |= {"width": 64, "height": 48, "file": f"{class_}/{image_id}.png"}
        images.append(row)
        if isinstance(verdict, str):
            kept.append(row | {"phash": "0" * 16, "group": verdict})
        else:
            rejected.append(row | dict(zip(("reason", "twin", "distance"), verdict, strict=True)) | {"detail": ""})
    cleaned.mkdir()
    pd.DataFrame(images).to_csv(raw / "images.csv", index=False)
    pd.DataFrame(kept).to_csv(cleaned / "kept.csv", index=False)
    columns = ["image_id", "class", "source_id", "file", "reason", "detail", "twin", "distance"]
    pd.DataFrame(rejected, columns=columns).to_csv(cleaned / "rejected.csv", index=False)
    return Paths(raw, cleaned, folder / "suggestions.csv", folder / "review.csv")


class Api:
    """The requests of the page to a session's application."""

    def __init__(self, paths):
        self.session = Session(paths)
        self.client = create_app(self.session).test_client()

    def get(self, path, **options):
        return self.client.get(path, base_url=ORIGIN, buffered=True, **options)

    def post(self, body, query="", **headers):
        headers = {"Origin": ORIGIN, "Content-Type": "application/json"} | headers
        data = body if isinstance(body, str) else json.dumps(body)
        return self.client.post(f"/api/decisions{query}", base_url=ORIGIN, headers=headers, data=data)

    def page(self, name="all", **query):
        reply = self.client.get("/api/page", base_url=ORIGIN, query_string={"filter": name, **query})
        assert reply.status_code == 200, reply.json
        return reply.json

    def shown(self, name="all", **query):
        return [tile["image_id"] for tile in self.page(name, **query)["tiles"]]

    def decide(self, image_id, decision, class_="", reason=""):
        reply = self.post({"image_id": image_id, "decision": decision, "class": class_, "reason": reason})
        assert reply.status_code == 200, reply.json
        return reply.json


def rows(paths):
    """The table's rows without their times."""
    return [line.rsplit(",", 1)[0] for line in paths.reviews.read_text().splitlines()[1:]]
