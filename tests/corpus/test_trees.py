"""Every source of the table goes through `collect`, with the project's own params."""

import pytest

from stages.collect.run import Collect, run
from stages.core import params
from stages.core.tables import read_table
from tests.corpus.trees import TREES


@pytest.fixture(scope="module")
def settings(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return params.read(Collect, "collect")


@pytest.mark.parametrize("name", TREES)
def test_a_source_gives_its_classes_or_one_line(name, settings, tmp_path):
    write, expected = TREES[name]
    (tmp_path / "source").mkdir()
    settings = settings.model_copy(update={"source": str(write(tmp_path / "source"))})
    if isinstance(expected, str):
        with pytest.raises((ValueError, OSError), match=expected) as caught:
            run(settings, tmp_path / "raw")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "raw").exists()
        return
    counts = run(settings, tmp_path / "raw")
    assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
    classes = read_table(tmp_path / "raw" / "images.csv")["class"].value_counts().to_dict()
    assert classes | ({"failed": counts["failed"]} if counts["failed"] else {}) == expected


def test_what_is_on_this_machine_is_collected_without_a_home_and_a_cache(settings, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("stages.core.files.user_cache_path", fail)
    monkeypatch.delenv("XDG_CACHE_HOME")
    (tmp_path / "source").mkdir()
    write, _ = TREES["plain"]
    assert run(settings.model_copy(update={"source": str(write(tmp_path / "source"))}), tmp_path / "raw")["kept"] == 2
