import os
import time
from types import SimpleNamespace

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


def test_what_is_no_checkpoint_is_none_and_said(folder, capsys):
    folder.mkdir(parents=True)
    for name, content in (("cut.npz", b"PK\x03\x04"), ("text.npz", b"hello"), ("empty.npz", b"")):
        (folder / name).write_bytes(content)
        assert checkpoints.load_state(folder / name) is None
    save_arrays(folder / "other.npz", {"a": np.array(1)})
    assert checkpoints.load_state(folder / "other.npz") is None
    assert capsys.readouterr().out.count("expected a whole checkpoint, got ") == 4
    assert checkpoints.load_state(folder / "none.npz") is None
    assert capsys.readouterr().out == ""


def test_a_flipped_bit_gives_the_state_as_it_was_or_none(folder):
    arrays = [np.arange(number + 2, dtype=np.float32) for number in range(3)]
    variables = [SimpleNamespace(value=array) for array in arrays]
    model = SimpleNamespace(variables=variables, optimizer=SimpleNamespace(variables=variables[:2]))
    checkpoints.save_state(folder / "state.npz", model, arrays[:1], {"loss": [0.5]}, is_over=False)
    whole = (folder / "state.npz").read_bytes()
    state = checkpoints.load_state(folder / "state.npz")
    assert state.history == {"loss": [0.5]}
    lost = 0
    for place in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (folder / "state.npz").write_bytes(damaged)
        read = checkpoints.load_state(folder / "state.npz")
        lost += read is None
        if read is not None:
            assert (read.history, read.is_over) == (state.history, state.is_over)
            for kind in ("model", "optimizer", "best"):
                pairs = zip(getattr(read, kind), getattr(state, kind), strict=True)
                assert all(np.array_equal(one, other) for one, other in pairs)
    assert lost > len(whole) / 5 / 2
