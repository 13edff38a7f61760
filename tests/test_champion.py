import pytest

from stages import champion
from stages.core.files import write_json


@pytest.fixture
def data(tmp_path):
    """Write a model fed pixels and a model fed activations, as the steps do, and return a function to choose one."""
    for name, backbone in (("vgg", {}), ("xception", {"network": "xception"})):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        write_json({"network": name, "backbone": backbone}, folder / "network.json")
        (folder / "model.keras").write_text(f"model of {name}")
    weights = tmp_path / "pretrained" / "xception" / "backbone.weights.h5"
    weights.parent.mkdir(parents=True)
    weights.write_text("published")

    def choose(name):
        write_json({"champion": name}, tmp_path / "summary.json")
        return tmp_path / "summary.json", tmp_path / "models", tmp_path / "pretrained", tmp_path / "champion"

    return choose


def names(folder):
    return sorted(path.name for path in folder.glob("[!.]*"))


def test_one_fed_pixels_needs_no_more_than_its_model(data, tmp_path):
    assert champion.run(*data("vgg")) == "vgg"
    assert names(tmp_path / "champion") == ["model.keras", "network.json"]
    assert (tmp_path / "champion" / "model.keras").read_text() == "model of vgg"


def test_one_fed_activations_comes_with_its_backbone(data, tmp_path):
    champion.run(*data("vgg"))
    assert champion.run(*data("xception")) == "xception"
    assert names(tmp_path / "champion") == ["backbone.weights.h5", "model.keras", "network.json"]
    assert (tmp_path / "champion" / "backbone.weights.h5").read_text() == "published"


def test_a_missing_file_is_named_and_the_champion_before_stays(data, tmp_path):
    champion.run(*data("vgg"))
    (tmp_path / "pretrained" / "xception" / "backbone.weights.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"backbone\.weights\.h5: expected a file of the champion, got none\."):
        champion.run(*data("xception"))
    assert (tmp_path / "champion" / "model.keras").read_text() == "model of vgg"
