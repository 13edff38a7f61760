"""How much a naive split flatters: duplicates kept and images dealt at random, against groups kept on one side.

    python -m benchmarks.leaks

On the project's own drawings, after `dvc repro`: a linear head on the frozen Xception, over five splits. `clean` keeps
every duplicate, so that both ways see the same images; only `split.group_by` differs.
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.rounds import publish, to_table
from benchmarks.transfer import activate, prepare, score, settings_mirrors, settings_of
from stages import preprocess
from stages.clean import run as clean
from stages.clean.settings import Clean
from stages.core.terminal import command

RAW, REVIEW = Path("data/1_raw"), Path("data/review.csv")


def main() -> None:
    """Measure both ways and publish the table."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        prepare(work)
        keeping = settings_of(Clean, "clean").model_copy(update={"on_duplicate": "keep"})
        counts = clean.run(keeping, RAW, REVIEW, work / "clean")
        settings = settings_of(preprocess.Preprocess, "preprocess")
        preprocess.run(settings, RAW, work / "clean" / "kept.csv", work / "pixels")
        activations = activate(work / "pixels", settings_mirrors(), work)
        found = {}
        for is_grouped in (True, False):
            folder = work / str(is_grouped)
            folder.mkdir()
            found[is_grouped] = score(
                work / "pixels", activations, folder, group_by=["look-alikes"] if is_grouped else []
            )
    differences = np.subtract(found[False].each, found[True].each)
    rows = [["look-alikes on one side", str(found[True])], ["images dealt at random", str(found[False])]]
    rows.append(["the difference", f"{differences.mean():+.3f} ({differences.min():+.3f} to {differences.max():+.3f})"])
    publish(
        "leaks",
        f"Test accuracy with {counts['kept']} drawings, duplicates among them: mean and range of five splits.\n",
        to_table(["split", "accuracy"], rows),
    )


if __name__ == "__main__":
    command(main)
