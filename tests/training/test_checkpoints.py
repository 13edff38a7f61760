import os
import time

import numpy as np
import pytest

from stages.training import checkpoints
from stages.training.checkpoints import fingerprint, open_folder, save_arrays


@pytest.fixture
def folder(own_cache):
    return own_cache / "checkpoints"


def test_a_fingerprint_changes_with_facts_files_and_arrays(tmp_path):
    (tmp_path / "code.py").write_text("one")
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    found = {fingerprint({"rate": 1}, [tmp_path / "code.py"], [array])}
    assert fingerprint({"rate": 1}, [tmp_path / "code.py"], [array]) in found
    found |= {
        fingerprint({"rate": 2}, [tmp_path / "code.py"], [array]),
        fingerprint({"rate": 1}, [], [array]),
        fingerprint({"rate": 1}, [tmp_path / "code.py"], [array[::-1]]),
        fingerprint({"rate": 1}, [tmp_path / "code.py"], [array.reshape(3, 2)]),
    }
    (tmp_path / "code.py").write_text("two")
    found.add(fingerprint({"rate": 1}, [tmp_path / "code.py"], [array]))
    assert len(found) == 6


def test_a_folder_that_no_training_used_for_long_is_removed(folder):
    for name in ("old", "young"):
        (folder / name).mkdir(parents=True)
    long_ago = time.time() - 15 * 86400
    os.utime(folder / "old", (long_ago, long_ago))
    with open_folder("own"):
        assert sorted(path.name for path in folder.iterdir()) == ["own", "young"]


def test_a_folder_stays_after_an_error_and_goes_after_success(folder):
    with pytest.raises(KeyboardInterrupt), open_folder("own") as own:
        (own / "state").touch()
        raise KeyboardInterrupt
    with open_folder("own") as own:
        assert (own / "state").exists()
    assert list(folder.iterdir()) == []


def test_arrays_replace_the_file_whole(folder):
    for value in (1, 2):
        save_arrays(folder / "state.npz", {"a": np.array(value)})
    assert np.load(folder / "state.npz")["a"] == 2
    assert [path.name for path in folder.iterdir()] == ["state.npz"]


def test_what_is_no_checkpoint_is_none(folder):
    folder.mkdir(parents=True)
    for name, content in (("cut.npz", b"PK\x03\x04"), ("text.npz", b"hello"), ("empty.npz", b"")):
        (folder / name).write_bytes(content)
        assert checkpoints.load_state(folder / name) is None
    save_arrays(folder / "other.npz", {"a": np.array(1)})
    assert checkpoints.load_state(folder / "other.npz") is None
    assert checkpoints.load_state(folder / "none.npz") is None
