"""Champion: the model that the comparison chose, in one folder with all that it needs to classify an image."""

import argparse
import shutil
from pathlib import Path

from stages.core.files import read_json, replacing_folder
from stages.core.terminal import command

MODEL = ("model.keras", "network.json")
BACKBONE_WEIGHTS = "backbone.weights.h5"


def run(summary: Path, models: Path, pretrained: Path, target: Path) -> str:
    """Copy the champion's model and, if it is fed activations, its backbone to the target, and return its name.

    Raises:
        FileNotFoundError: A file of the champion does not exist.
    """
    name = str(read_json(summary)["champion"])
    files = [models / name / file for file in MODEL]
    if read_json(models / name / "network.json")["backbone"]:
        files.append(pretrained / name / BACKBONE_WEIGHTS)
    with replacing_folder(target, "champion") as folder:
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"{file}: expected a file of the champion, got none.")
            shutil.copyfile(file, folder / file.name)
    return name


def main() -> None:
    """Copy the champion's files to one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("summary", type=Path, help="the summary of the comparison, as JSON")
    parser.add_argument("models", type=Path, help="the folder of all models")
    parser.add_argument("pretrained", type=Path, help="the folder of all backbones' weights")
    parser.add_argument("target", type=Path, help="the folder to write")
    arguments = parser.parse_args()
    name = run(arguments.summary, arguments.models, arguments.pretrained, arguments.target)
    print(f"champion: {name}")


if __name__ == "__main__":
    command(main)
