import io
import sys
import zipfile

import pytest

from stages.collect import archive
from stages.core.terminal import command
from stages.manifest import kaggle
from stages.manifest.__main__ import main
from stages.web.errors import FetchError
from tests.protocols.asking import SETTINGS
from tests.protocols.kaggle import KEY, USERNAME, answering, storing
from tests.protocols.service import BROKEN, Answer, serving

pytestmark = pytest.mark.usefixtures("short_waits")


def make_zip(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as stream:
        for name, data in files.items():
            stream.writestr(name, data)
    return content.getvalue()


ARCHIVE = make_zip({"train/car/1.png": b"one", "test/tank/2.png": b"two"})


@pytest.fixture(autouse=True)
def account(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def storage():
    with serving(storing(ARCHIVE)) as service:
        yield service


@pytest.fixture
def service(storage):
    with serving(answering({"owner/cars-tanks?3"}, storage.address)) as service:
        yield service


def download(service, dataset="owner/cars-tanks", version=3, settings=SETTINGS):
    return kaggle.download(f"{dataset}/versions/{version}", settings, service.address)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


def test_the_archive_is_one_that_collect_takes(service, tmp_path):
    path = download(service)
    assert path == tmp_path / "dvc-image-classification" / "kaggle" / "owner--cars-tanks--3.zip"
    assert path.read_bytes() == ARCHIVE
    listed = [(image.source_id, image.class_, image.given_split) for image in archive.listing(path)]
    assert listed == [("test/tank/2.png", "tank", "test"), ("train/car/1.png", "car", "train")]


def test_what_is_there_is_not_asked_for_again(service, monkeypatch):
    path = download(service)
    monkeypatch.delenv("KAGGLE_KEY")
    assert download(service) == path
    assert len(service.requests) == 1


def test_the_key_is_sent_to_kaggle_only_and_shown_nowhere(service, storage, tmp_path, caplog, capfd):
    caplog.set_level(0)
    path = download(service)
    assert "authorization" in service.requests[0].headers
    assert "authorization" not in storage.requests[0].headers
    shown = [str(path), str(service.requests[0].query), caplog.text, *capfd.readouterr()]
    assert not any(KEY in text for text in shown)
    assert not any(KEY.encode() in file.read_bytes() for file in files_in(tmp_path))


def test_a_broken_download_is_made_again_from_its_start(service, storage):
    half = Answer(ARCHIVE[:50], 200, {"Content-Length": str(len(ARCHIVE)), "Connection": "close"})
    storage.faults = {0: half, 1: BROKEN}
    assert download(service).read_bytes() == ARCHIVE


@pytest.mark.parametrize(("dataset", "version"), [("owner/none", 3), ("owner/cars-tanks", 4)])
def test_a_data_set_that_is_not_there_is_refused(service, tmp_path, dataset, version):
    with pytest.raises(FetchError, match=rf"{dataset}: expected an answer, got gone: HTTP 404\.$"):
        download(service, dataset, version)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", ARCHIVE[:-30]], ids=["nothing", "page", "cut"])
def test_what_is_no_whole_archive_is_not_kept(service, storage, tmp_path, content):
    storage.answer = storing(content)
    with pytest.raises(ValueError, match=r"owner/cars-tanks: expected a whole zip archive, got something else\.$"):
        download(service)
    assert files_in(tmp_path) == []


def test_an_archive_over_the_limit_is_not_taken(service, storage, tmp_path):
    storage.answer = storing(bytes(1_000_001))
    with pytest.raises(FetchError, match="too many bytes: 1000001 of at most 1000000"):
        download(service, settings=SETTINGS.model_copy(update={"max_megabytes": 1}))
    assert files_in(tmp_path) == []


def test_a_wrong_key_is_named_but_not_shown(service, monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", "sentinel-wrong")
    message = r"^environment KAGGLE_USERNAME and KAGGLE_KEY: expected what opens this data set, got HTTP 401\.$"
    with pytest.raises(ValueError, match=message):
        download(service)


@pytest.mark.parametrize("name", kaggle.CREDENTIALS)
def test_missing_credentials_are_named(service, monkeypatch, name):
    monkeypatch.setenv(name, "")
    with pytest.raises(ValueError, match=rf"^environment {name}: expected that of an API token .*, got none\.$"):
        download(service)
    assert service.requests == []


@pytest.mark.parametrize(
    ("dataset", "version"),
    [
        *((dataset, 3) for dataset in ("", "name", "owner/name/3", "../x", "owner/..", "a/na me", "a/name?x=1")),
        *(("owner/name", version) for version in ("", "x", "²", "3/4")),
    ],
)
def test_what_is_no_name_of_a_data_set_is_refused(service, dataset, version):
    with pytest.raises(ValueError, match=r"^kaggle: expected a data set as owner/name/versions/3, got "):
        download(service, dataset, version)
    with pytest.raises(ValueError, match=r"^kaggle: expected a data set as owner/name/versions/3, got 'owner/name'"):
        kaggle.download("owner/name", SETTINGS, service.address)
    assert service.requests == []


@pytest.fixture
def run_command(root, monkeypatch, capsys):
    """Run `python -m stages.manifest kaggle` for the data set; return its exit status, output and error."""

    def run():
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, "argv", ["manifest", "kaggle", "owner/cars-tanks/versions/3"])
        try:
            command(main)
        except SystemExit as stop:
            return (stop.code, *capsys.readouterr())
        return (0, *capsys.readouterr())

    return run


def test_the_command_prints_the_path(service, run_command):
    path = download(service)
    assert run_command() == (0, f"{path}\n", "")


def test_the_command_names_a_problem_in_one_line(run_command, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    line = "environment KAGGLE_KEY: expected that of an API token of kaggle.com/settings, got none."
    assert run_command() == (line, "", "")
