import pandas as pd
import pytest

from stages import champion
from stages.core.files import write_json
from stages.core.tables import read_table

ALWAYS = ["answer_limits.json", "learned_from.csv", "network.json", "references.npy"]


@pytest.fixture
def data(tmp_path):
    """Write a model fed pixels and a model fed activations, as the steps do, and return a function to choose one."""
    for name, backbone in (("vgg", {}), ("xception", {"network": "xception"})):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        write_json({"network": name, "backbone": backbone}, folder / "network.json")
        (folder / "model.keras").write_text(f"model of {name}")
        evaluation = tmp_path / "evaluations" / name
        evaluation.mkdir(parents=True)
        (evaluation / "answer_limits.json").write_text(f"limits of {name}")
        (evaluation / "references.npy").write_text(f"references of {name}")
    weights = tmp_path / "pretrained" / "xception" / "backbone.weights.h5"
    weights.parent.mkdir(parents=True)
    weights.write_text("published")
    ids = ["ba", "aa", "ca", "da"]
    kept = pd.DataFrame({"image_id": ids, "class": ["cat", "dog", "cat", "dog"], "phash": ["0" * 16] * 4, "file": "x"})
    kept.to_csv(tmp_path / "kept.csv", index=False)
    split = pd.DataFrame({"image_id": ids, "split": ["train", "train", "test", "dropped"]})
    split.to_csv(tmp_path / "split.csv", index=False)

    def choose(name):
        write_json({"champion": name}, tmp_path / "summary.json")
        folders = (tmp_path / name for name in ("summary.json", "models", "pretrained", "evaluations"))
        return (*folders, tmp_path / "kept.csv", tmp_path / "split.csv", tmp_path / "champion")

    return choose


def names(folder):
    return sorted(path.name for path in folder.glob("[!.]*"))


def test_one_fed_pixels_needs_no_more_than_its_model(data, tmp_path):
    assert champion.run(*data("vgg")) == "vgg"
    assert names(tmp_path / "champion") == sorted([*ALWAYS, "model.keras"])
    assert (tmp_path / "champion" / "model.keras").read_text() == "model of vgg"
    assert (tmp_path / "champion" / "answer_limits.json").read_text() == "limits of vgg"


def test_one_fed_activations_comes_with_its_backbone(data, tmp_path):
    champion.run(*data("vgg"))
    assert champion.run(*data("xception")) == "xception"
    assert names(tmp_path / "champion") == sorted([*ALWAYS, "backbone.weights.h5", "model.keras"])
    assert (tmp_path / "champion" / "backbone.weights.h5").read_text() == "published"


def test_a_backbone_in_an_onnx_file_comes_with_it_too(data, tmp_path):
    weights = tmp_path / "pretrained" / "xception" / "backbone.weights.h5"
    weights.rename(weights.with_name("backbone.onnx"))
    champion.run(*data("xception"))
    assert (tmp_path / "champion" / "backbone.onnx").read_text() == "published"


def test_the_images_that_it_learned_from_come_with_it(data, tmp_path):
    champion.run(*data("vgg"))
    table = read_table(tmp_path / "champion" / "learned_from.csv")
    assert table.to_dict("list") == {"image_id": ["aa", "ba"], "class": ["dog", "cat"], "phash": ["0" * 16] * 2}


def test_a_missing_file_is_named_and_the_champion_before_stays(data, tmp_path):
    champion.run(*data("vgg"))
    (tmp_path / "pretrained" / "xception" / "backbone.weights.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"backbone\.weights\.h5: expected a file of the champion, got none\."):
        champion.run(*data("xception"))
    assert (tmp_path / "champion" / "model.keras").read_text() == "model of vgg"
