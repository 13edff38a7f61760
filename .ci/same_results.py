"""Compare the dvc.lock of a rerun with the committed one: data steps must agree everywhere, trainings on one processor.

python .ci/same_results.py dvc.lock rerun/dvc.lock
"""

import sys
from pathlib import Path

from ruamel.yaml import YAML

DATA_STEPS = ("collect", "clean", "preprocess", "split")


def outputs(path):
    """Return the hash of every output, by stage and path."""
    stages = YAML(typ="safe").load(Path(path))["stages"]
    return {(name, out["path"]): out["md5"] for name, stage in stages.items() for out in stage.get("outs", [])}


def main(committed, rerun):
    """Print what differs, and exit with 1 where that is the output of a data step, or one of the locks lacks it."""
    before, after = outputs(committed), outputs(rerun)
    unrecorded = sorted(after.keys() - before.keys())
    differing = sorted(key for key in before if before[key] != after.get(key))
    for name, path in unrecorded:
        print(f"{name}: {path} is not in the committed dvc.lock")
    for name, path in differing:
        print(f"{name}: {path} differs from what is committed")
    print(f"{len(before) - len(differing)} of {len(before)} outputs are the same as committed")
    is_bad = any(name in DATA_STEPS or (name, path) not in after for name, path in differing)
    return int(bool(unrecorded) or is_bad)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
