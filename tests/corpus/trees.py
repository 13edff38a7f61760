"""Sources as people have them: in a row a function that writes one, and what `collect` makes of it.

That is {class: number of images} with the reasons of what failed, as {reason: number}; or the line that it ends with,
of which a part stands here. `{0}` in a text of a file is the folder's own path. A report of a source that went wrong
becomes a row.
"""

import io
import os
import tarfile
import zipfile

from tests.corpus.encoders import draw_squares, encode


def image(number):
    return encode(draw_squares(number))


def images(*names):
    return {name: image(number) for number, name in enumerate(names)}


def tree(files, *, links=(), folders=(), pipes=()):
    """Return a function that writes files, links as (name, target), empty folders and pipes into a folder."""

    def write(folder):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                content = content.replace("{0}", str(folder)).encode()
            path.write_bytes(content)
        for name in folders:
            (folder / name).mkdir(parents=True)
        for name, target in links:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(target)
        for name in pipes:
            os.mkfifo(folder / name)
        return folder

    return write


def zipped(files, *, folders=()):
    def write(folder):
        with zipfile.ZipFile(folder / "images.zip", "w") as stream:
            for name in folders:
                stream.writestr(f"{name}/", b"")
            for name, content in files.items():
                stream.writestr(name, content)
        return folder / "images.zip"

    return write


def tarred(files, *, links=(), kind="images.tar", mode="w"):
    def write(folder):
        with tarfile.open(folder / kind, mode) as stream:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                stream.addfile(info, io.BytesIO(content))
            for name, target, link in links:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = link, target
                stream.addfile(info)
        return folder / kind

    return write


def without_flag(names):
    """Return a function that zips names as old programs of DOS and Windows do, in their own encoding."""

    def write(folder):
        zipped(images(*("X" * len(name) + f"/{number}.png" for number, name in enumerate(names))))(folder)
        path, content = folder / "images.zip", (folder / "images.zip").read_bytes()
        for number, name in enumerate(names):
            content = content.replace(b"X" * len(name) + f"/{number}.png".encode(), name + f"/{number}.png".encode())
        path.write_bytes(content)
        return path

    return write


def in_table(text, encoding="utf-8", files=("1.png", "2.png")):
    return tree({**images(*files), "images.csv": text if "{0}" in text else text.encode(encoding)})


CATS_AND_DOGS = {"cat": 1, "dog": 1}


def and_failed(**reasons):
    """Return cats and dogs, and the number of files that failed by reason, whose spaces are underlines here."""
    return {**CATS_AND_DOGS, "failed": {reason.replace("_", " "): number for reason, number in reasons.items()}}


TWO = images("cat/1.png", "dog/2.png")

TREES = {
    # --- names of classes
    "plain": (tree(TWO), CATS_AND_DOGS),
    "spaces around a name": (tree(images("cat /1.png", " dog/2.png")), CATS_AND_DOGS),
    "one name in two forms": (
        tree(images("caf\u00e9/1.png", "cafe\u0301/2.png", "dog/3.png")),
        {"caf\u00e9": 2, "dog": 1},
    ),
    "names in Latin-1": (tree(images("caf\udce9/1.png", "dog/2.png")), {"caf\u00e9": 1, "dog": 1}),
    "signs of shells and of mathematics": (
        tree(images("$x^$/1.png", "a|b*/2.png", "%s/3.png")),
        {"$x^$": 1, "a|b*": 1, "%s": 1},
    ),
    "names of the project's own tables": (
        tree(images("images.csv/1.png", "cat/2.png")),
        {"cat": 1, "failed": {"no class": 1}},
    ),
    "numbers and missing values": (tree(images("007/1.png", "NA/2.png", "1e3/3.png")), {"007": 1, "NA": 1, "1e3": 1}),
    "a name of 255 bytes": (tree(images("x" * 255 + "/1.png", "dog/2.png")), {"x" * 255: 1, "dog": 1}),
    "a leading dash": (tree(images("-rf/1.png", "--help/2.png")), {"-rf": 1, "--help": 1}),
    # --- what lies beside images
    "what systems leave": (
        tree({**TWO, "cat/.DS_Store": b"x", "dog/._2.png": b"x", "__MACOSX/cat/1.png": b"x", "@eaDir/2.png": b"x"}),
        CATS_AND_DOGS,
    ),
    "a clone of a data set": (
        tree({**TWO, ".git/config": b"x", "cat/.gitignore": b"*.tmp\n", "README.md": b"x"}),
        and_failed(no_class=1),
    ),
    "what Jupyter leaves": (tree({**TWO, ".ipynb_checkpoints/1.png": image(9)}), CATS_AND_DOGS),
    "a folder for nobody": (tree(TWO, folders=["owl"]), CATS_AND_DOGS),
    "a pipe": (tree(TWO, pipes=["cat/pipe"]), and_failed(no_regular_file=1)),
    # --- links
    "a linked class": (
        tree({**images("dog/2.png"), ".store/1.png": image(9)}, links=[("cat", ".store")]),
        CATS_AND_DOGS,
    ),
    "a link around": (tree(TWO, links=[("cat/all", "..")]), CATS_AND_DOGS),
    "a link to itself": (tree(TWO, links=[("cat/loop.png", "loop.png")]), and_failed(missing=1)),
    "a broken link": (tree(TWO, links=[("cat/gone.png", "nowhere")]), and_failed(missing=1)),
    "git-annex": (
        tree(
            {**images("dog/2.png"), ".git/annex/objects/key": image(9)},
            links=[("cat/1.png", "../.git/annex/objects/key")],
        ),
        CATS_AND_DOGS,
    ),
    "a link to a secret": (tree(TWO, links=[("cat/key.png", "/etc/hostname")]), and_failed(outside_the_source=1)),
    # --- layouts
    "splits": (
        tree(images("train/cat/1.png", "test/cat/2.png", "train/dog/3.png", "val/dog/4.png")),
        {"cat": 2, "dog": 2},
    ),
    "splits of Kaggle": (
        tree(images(*(f"{part}_set/{name}.png" for part in ("training", "test") for name in ("cat/1", "dog/2")))),
        {"cat": 2, "dog": 2},
    ),
    "images to be classified beside": (
        tree({**images("train/cat/1.png", "train/dog/2.png"), "test/3.png": image(9)}),
        and_failed(no_class=1),
    ),
    "names that hold a split's": (tree(images("train/cat/val_1.png", "val/cat/2_train.png")), {"cat": 2}),
    "a folder around": (tree(images("archive/images/cat/1.png", "archive/images/dog/2.png")), CATS_AND_DOGS),
    "files in no class": (tree({**TWO, "loose.png": image(9)}), and_failed(no_class=1)),
    "no class at all": (
        tree(images("1.png", "2.png")),
        "expected images in a folder per class, got 2 files and no image",
    ),
    "nothing": (tree({}), "expected images in a folder per class, got 0 files and no image"),
    "no such folder": (lambda folder: folder / "none", "expected a folder"),
    "a single image": (lambda folder: tree(images("1.png"))(folder) / "1.png", "expected a folder"),
    # --- tables
    "a table": (in_table("file,class\n1.png,cat\n2.png,dog\n"), CATS_AND_DOGS),
    "a table of Windows": (in_table("file,class\r\n1.png,cat\r\n2.png,dog\r\n", "utf-8-sig"), CATS_AND_DOGS),
    "a table with spaces": (in_table("file, class\n1.png, cat\n2.png, dog\n"), CATS_AND_DOGS),
    "a table of a European Excel": (in_table("file;class\n1.png;cat\n2.png;dog\n"), CATS_AND_DOGS),
    "a table of Excel in Unicode": (in_table("file\tclass\n1.png\tcat\n2.png\tdog\n", "utf-16"), CATS_AND_DOGS),
    "a table of other words": (in_table("path,label\n1.png,cat\n"), "expected the columns file and class"),
    "a table in Latin-1": (
        in_table("file;class\n1.png;caf\u00e9\n", "latin-1"),
        "expected a CSV table in UTF-8 or UTF-16, got byte 0xe9",
    ),
    "a table that never ends a quote": (in_table('file;class\n1.png;"' + "x" * 200_000), "got field larger than"),
    "a table of long rows": (in_table("file,class\n1.png,cat,x\n2.png,dog,y\n"), "expected a CSV table"),
    "a table with paths of its own machine": (in_table("file,class\n{0}/1.png,cat\n./2.png,dog\n"), CATS_AND_DOGS),
    "a table of Windows paths": (
        in_table("file,class\na\\1.png,cat\na\\2.png,dog\n", files=("a/1.png", "a/2.png")),
        CATS_AND_DOGS,
    ),
    "a table that names what is not there": (
        in_table("file,class\n1.png,cat\n2.png,dog\n3.png,dog\n"),
        and_failed(missing=1),
    ),
    "a table that forgets a file": (in_table("file,class\n1.png,cat\n"), {"cat": 1, "failed": {"no class": 1}}),
    "a table that leads out": (
        in_table("file,class\n1.png,cat\n../2.png,dog\n"),
        {"cat": 1, "failed": {"no class": 1, "outside the source": 1}},
    ),
    "a table of an impossible class": (in_table("file,class\n1.png,a/b\n"), "expected a class that can name a folder"),
    "a table of an unknown split": (in_table("file,class,split\n1.png,cat,dev\n"), "expected a split of"),
    # --- archives
    "a zip": (zipped(TWO, folders=["cat"]), CATS_AND_DOGS),
    "a zip of macOS": (zipped({**TWO, "__MACOSX/cat/._1.png": b"x"}), CATS_AND_DOGS),
    "a zip of Windows": (zipped(images("cat\\1.png", "dog\\2.png")), CATS_AND_DOGS),
    "a zip of a whole drive": (zipped(images("C:/cat/1.png", "C:/dog/2.png")), CATS_AND_DOGS),
    "a zip that names UTF-8 nowhere": (without_flag(["caf\u00e9".encode(), b"dog"]), {"caf\u00e9": 1, "dog": 1}),
    "a zip in the zip": (zipped({**TWO, "cat/more.zip": b"PK\3\4"}), and_failed(archive_in_the_archive=1)),
    "a zip that leads out": (zipped({**TWO, "../../cat/9.png": image(9)}), and_failed(no_class=1)),
    "a tar": (tarred(images("./cat/1.png", "./dog/2.png")), CATS_AND_DOGS),
    "a compressed tar": (tarred(TWO, kind="images.tgz", mode="w:gz"), CATS_AND_DOGS),
    "a tar with a hard link": (tarred(TWO, links=[("cat/3.png", "cat/1.png", tarfile.LNKTYPE)]), {"cat": 2, "dog": 1}),
    "a tar with a link out": (
        tarred(TWO, links=[("cat/3.png", "/etc/hostname", tarfile.SYMTYPE)]),
        and_failed(no_regular_file=1),
    ),
    "a tar with a device": (tarred(TWO, links=[("cat/3.png", "", tarfile.CHRTYPE)]), and_failed(no_regular_file=1)),
    "a zip that is none": (
        lambda folder: tree({"images.zip": b"<html>"})(folder) / "images.zip",
        "expected a whole zip",
    ),
    "a tar cut short": (
        lambda folder: cut(tarred(TWO)(folder)),
        "expected a whole zip or tar archive",
    ),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:700])
    return path
