"""Every source of the table goes through `collect`, with the project's own params."""

import pytest

from stages.collect.run import Collect, run
from stages.core import params
from stages.core.files import read_table
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
