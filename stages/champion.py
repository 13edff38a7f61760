"""Champion: the model that the comparison chose, in one folder with all that it needs to classify an image."""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from stages.core.files import read_json, replacing_folder
from stages.core.tables import read_table, write_table
from stages.core.terminal import command
from stages.networks.answer_limits import LIMITS, REFERENCES

MODEL = ("model.keras", "network.json")
BACKBONES, LEARNED = ("backbone.weights.h5", "backbone.onnx"), "learned_from.csv"


def run(summary: Path, models: Path, pretrained: Path, evaluations: Path, kept: Path, split: Path, target: Path) -> str:
    """Copy the champion's model and, if it is fed activations, its backbone to the target, and return its name.

    The limits of its answers come with it. `learned_from.csv` there has the training images with their perceptual
    hashes, so that `predict` knows them again.

    Raises:
        FileNotFoundError: A file of the champion does not exist.
    """
    name = str(read_json(summary)["champion"])
    files = [models / name / file for file in MODEL] + [evaluations / name / file for file in (LIMITS, REFERENCES)]
    if read_json(models / name / "network.json")["backbone"]:
        of_backbone = [pretrained / name / file for file in BACKBONES]
        files.append(next(filter(Path.is_file, of_backbone), of_backbone[0]))
    with replacing_folder(target, "champion") as folder:
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"{file}: expected a file of the champion, got none.")
            shutil.copyfile(file, folder / file.name)
        images = read_table(kept, "image_id", "class", "phash"), read_table(split, "image_id", "split")
        write_table(training_images(*images), folder / LEARNED)
    return name


def training_images(kept: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Return `image_id`, `class` and `phash` of the training images, sorted by image_id."""
    learned = split.loc[split["split"] == "train", "image_id"]
    return kept.loc[kept["image_id"].isin(learned), ["image_id", "class", "phash"]].sort_values("image_id")


def main() -> None:
    """Copy the champion's files to one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("summary", type=Path, help="the summary of the comparison, as JSON")
    parser.add_argument("models", type=Path, help="the folder of all models")
    parser.add_argument("pretrained", type=Path, help="the folder of all backbones' weights")
    parser.add_argument("evaluations", type=Path, help="the folder of all evaluations")
    parser.add_argument("kept", type=Path, help="the table of kept images")
    parser.add_argument("split", type=Path, help="the table of the split")
    parser.add_argument("target", type=Path, help="the folder to write")
    values = vars(parser.parse_args())
    name = run(**values)
    print(f"champion: {name}")


if __name__ == "__main__":
    command(main)
