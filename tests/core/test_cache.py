import pytest

from stages.core.files import cache_folder


def test_the_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("downloads") == tmp_path / "dvc-image-classification" / "downloads"


def test_without_the_variable_and_a_home_one_line_says_what_is_missing(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("stages.core.files.user_cache_path", fail)
    monkeypatch.delenv("XDG_CACHE_HOME")
    with pytest.raises(ValueError, match=r"^XDG_CACHE_HOME: expected a folder for the cache, got none"):
        cache_folder("downloads")


def test_without_the_variable_the_cache_is_in_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    folder = cache_folder("downloads")
    assert folder.is_relative_to(tmp_path) and folder.parts[-2:] == ("dvc-image-classification", "downloads")
