"""Make clipart.zip, the data of the study `clipart`, from two packages of Debian.

    apt-get download openclipart-png openclipart-svg
    for package in openclipart-*.deb; do dpkg -x "$package" openclipart; done
    python data/0_embedded/make_clipart.py openclipart/usr/share/openclipart data/0_embedded/clipart.zip

The drawings are shrunk to at most 256 pixels, losslessly coded, and otherwise left as they are: copies, links,
placeholders and misfiled drawings stay, because sorting them out is the pipeline's work.
"""

import argparse
import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import joblib
import pandas as pd
from PIL import Image

CLASSES = ("animals", "food", "people")
LONGEST_SIDE = 256
PUBLIC_DOMAIN = "http://web.resource.org/cc/PublicDomain"
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
CREATIVE_COMMONS = "{http://web.resource.org/cc/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def shrink(path):
    """Return the drawing as lossless WebP bytes, its longest side at most 256 pixels, transparency kept."""
    Image.MAX_IMAGE_PIXELS = None  # The collection holds drawings of 168 megapixels.
    with Image.open(path) as image:
        small = image.convert("RGBA")
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "WEBP", lossless=True, quality=100, method=6)
    return stream.getvalue()


def read_rdf(path):
    """Return title, author and licence address from the drawing's RDF; empty texts if it has none."""
    try:
        work = ElementTree.parse(path).getroot().find(f".//{CREATIVE_COMMONS}Work")
    except (FileNotFoundError, ElementTree.ParseError):
        work = None
    if work is None:
        return {"title": "", "author": "", "licence_url": ""}
    licence = work.find(f"{CREATIVE_COMMONS}license")
    agent = f"{CREATIVE_COMMONS}Agent/{DUBLIN_CORE}title"
    return {
        "title": tidy(work.findtext(f"{DUBLIN_CORE}title")),
        "author": tidy(work.findtext(f"{DUBLIN_CORE}creator/{agent}")),
        "licence_url": "" if licence is None else licence.get(f"{RDF}resource", ""),
    }


def tidy(text):
    """Return the text on one line, without outer spaces."""
    return " ".join((text or "").split())


def describe_drawing(root, path):
    """Return the drawing's row of the provenance table."""
    drawing = path.relative_to(root / "png").as_posix().removesuffix(".png")
    rdf = read_rdf(root / "svg" / f"{drawing}.svg")
    # Debian's copyright file dedicates the whole collection to the public domain, also drawings without RDF.
    licence_url = rdf.pop("licence_url") or PUBLIC_DOMAIN
    return {
        "file": f"{drawing}.webp",
        "class": drawing.split("/")[0],
        **rdf,
        "licence": "public domain" if licence_url == PUBLIC_DOMAIN else "see licence_url",
        "licence_url": licence_url,
        "source_id": f"openclipart-png/{drawing}.png",
    }


def make(root, target):
    """Write the archive, `images.csv` first and then the drawings by name; the same input gives the same bytes."""
    paths = sorted(path for name in CLASSES for path in (root / "png" / name).rglob("*.png"))
    table = pd.DataFrame([describe_drawing(root, path) for path in paths])
    drawings = joblib.Parallel(n_jobs=-1)(joblib.delayed(shrink)(path) for path in paths)
    unfinished = target.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        archive.writestr(zipfile.ZipInfo("images.csv", ZIP_DATE), table.to_csv(index=False), zipfile.ZIP_DEFLATED)
        for name, drawing in zip(table["file"], drawings, strict=True):
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), drawing)
    unfinished.replace(target)
    print(f"{target}: {len(table)} drawings, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="usr/share/openclipart of the unpacked packages")
    parser.add_argument("target", type=Path, help="the archive to write")
    make(**vars(parser.parse_args()))
