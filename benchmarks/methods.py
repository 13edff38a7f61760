"""Methods that find duplicates in a folder, each run in its own process; the peers run in an environment of their own.

    python -m benchmarks.methods <method> <folder> <threshold> <result.json>

The result holds `pairs` of files with their distance, and the files that were `refused`; paths are relative to the
folder. Only the standard library is imported before a method is chosen, because no environment has all packages. What a
method imports is not timed.
"""

import csv
import itertools
import sys
import tempfile
import types
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.rounds import now, report

Pairs = list[tuple[str, str, float]]
# imagededup imports its network, torch and figures together with its hashes, which do not need them: this avoids 5 GB.
STANDINS = (
    ("imagededup.methods.cnn", "CNN"),
    ("imagededup.utils.models", "CustomModel"),
    ("imagededup.utils.plotter", "plot_duplicates"),
)


def ours(folder: Path, form: str, result: Path) -> None:
    """Report what our step `clean` finds in a raw folder, by params.yaml; the form is `plain` or `mirrored`."""
    from stages.clean.run import run
    from stages.clean.settings import Clean
    from stages.core import params

    settings = params.read(Clean, "clean").model_copy(update={"mirrored": form == "mirrored"})
    files = defaultdict(list)
    for row in read_rows(folder / "images.csv"):
        files[row["image_id"]].append(row["source_id"])
    with tempfile.TemporaryDirectory() as name:
        review, target = Path(name, "review.csv"), Path(name, "clean")
        review.write_text("image_id,decision,class,reason,time\n")
        start = now()
        run(settings, folder, review, target)
        report(
            result,
            start,
            pairs=[
                (first, second, float(row["distance"]))
                for row in read_rows(target / "pairs.csv")
                for first, second in itertools.product(files[row["first"]], files[row["second"]])
                if row["relation"] == "same"
            ],
            refused=[row["source_id"] for row in read_rows(target / "rejected.csv") if not row["twin"]],
        )


def imagehash_phash(folder: Path, threshold: str, result: Path) -> None:
    """Report what `imagehash.phash` of every file that opens finds, with a loop over all pairs."""
    import imagehash
    from PIL import Image

    start = now()
    hashes, refused = {}, []
    for file in list_files(folder):
        try:
            hashes[file] = imagehash.phash(Image.open(folder / file))
        except Exception:  # As a script of a few lines would have to, or end at the first broken file.
            refused.append(file)
    pairs = []
    for (first, one), (second, other) in itertools.combinations(hashes.items(), 2):
        distance = one - other
        if distance <= int(threshold):
            pairs.append((first, second, float(distance)))
    report(result, start, pairs=pairs, refused=refused)


def imagededup(kind: str) -> Callable[[Path, str, Path], None]:
    """Return a function that reports what a hash of imagededup finds, with its own search."""

    def find(folder: Path, threshold: str, result: Path) -> None:
        for name, part in STANDINS:
            module = types.ModuleType(name)
            setattr(module, part, None)
            sys.modules[name] = module
        from imagededup import methods

        start = now()
        hasher = getattr(methods, kind)(verbose=False)
        matches = hasher.find_duplicates(folder, max_distance_threshold=int(threshold), scores=True, recursive=True)
        pairs = [(file, other, float(bits)) for file, near in matches.items() for other, bits in near if file < other]
        report(result, start, pairs=pairs, refused=sorted(set(list_files(folder)) - set(matches)))

    return find


def difpy(folder: Path, threshold: str, result: Path) -> None:
    """Report what difPy finds; it compares images of different sizes with same_dim=False only."""
    import difPy

    start = now()
    build = difPy.build(str(folder), show_progress=False)
    search = difPy.search(build, similarity=float(threshold), same_dim=False, show_progress=False)
    pairs = [
        (name_in(folder, file), name_in(folder, other), float(error))
        for file, near in search.result.items()
        for other, error in near
    ]
    refused = [name_in(folder, file) for file in build.stats["invalid_files"]["logs"]]
    report(result, start, pairs=pairs, refused=refused)


def cleanvision(folder: Path, _: str, result: Path) -> None:
    """Report what cleanvision calls duplicates, exact and near, in sets of files; it has no threshold to choose."""
    from cleanvision import Imagelab

    start = now()
    lab = Imagelab(data_path=str(folder), verbose=False)
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, verbose=False)
    pairs = [
        (name_in(folder, first), name_in(folder, second), 0.0)
        for kind in ("exact_duplicates", "near_duplicates")
        for files in lab.info[kind]["sets"]
        for first, second in itertools.combinations(sorted(files), 2)
    ]
    report(result, start, pairs=pairs, refused=[])


def fastdup(folder: Path, threshold: str, result: Path) -> None:
    """Report which of each image's nearest neighbours by fastdup's embedding are at least so similar, 0 to 1."""
    import fastdup as peer

    start = now()
    with tempfile.TemporaryDirectory() as work:
        search = peer.create(input_dir=str(folder), work_dir=work)
        search.run(threshold=float(threshold), nearest_neighbors_k=20, overwrite=True, print_summary=False)
        found = search.similarity()
    columns = ("filename_from", "filename_to", "distance")
    rows = found[[*columns]].itertuples(index=False) if len(found) else ()  # Without rows it has no columns either.
    pairs = [(f"all/{Path(one).name}", f"all/{Path(other).name}", float(value)) for one, other, value in rows]
    report(result, start, pairs=pairs, refused=[])


def list_files(folder: Path) -> list[str]:
    """Return all files in the folder's folders, sorted."""
    return sorted(name_in(folder, path) for path in folder.glob("*/*"))


def name_in(folder: Path, path: Path | str) -> str:
    """Return the path relative to the folder, with forward slashes."""
    return Path(path).relative_to(folder).as_posix()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


METHODS = {
    "ours": ours, "imagehash": imagehash_phash, "imagededup PHash": imagededup("PHash"),
    "imagededup DHash": imagededup("DHash"), "difPy": difpy, "cleanvision": cleanvision, "fastdup": fastdup,
}  # fmt: skip

if __name__ == "__main__":
    METHODS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
