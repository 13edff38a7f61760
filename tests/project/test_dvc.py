"""dvc.yaml, params.yaml and the modules that the stages import, held against each other."""

import ast
import re
from functools import cache
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

from stages import models
from stages.core.params import lookup
from stages.training.hyperparams import read_settings
from tests.repositories import shell

ROOT = Path(__file__).parents[2]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")


@cache
def graph():
    """The graph of imports, with those of libraries."""
    return grimp.build_graph("stages", include_external_packages=True, cache_dir=None)


def reached(start):
    """The modules that the import of a module imports, of this project and of libraries."""
    return graph().find_upstream_modules(start)


def file_of(module):
    path = Path(*module.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


def has_work(file):
    """A package's `__init__.py` with a docstring alone changes nothing that a step does."""
    body = ast.parse((ROOT / file).read_text()).body
    return file != Path("stages/__init__.py") and not all(isinstance(node, ast.Expr) for node in body)


def start_of(name):
    """The module that `python -m stages.<name>` runs."""
    is_room = (ROOT / "stages" / name).is_dir()
    return f"stages.{name}.__main__" if is_room else f"stages.{name}"


def imported_files(*starts):
    modules = {each for each in set(starts).union(*map(reached, starts)) if each.split(".")[0] == "stages"}
    packages = {".".join(each.split(".")[:end]) for each in modules for end in range(1, each.count(".") + 1)}
    return {file for file in map(file_of, modules | packages) if has_work(file)}


def expand(name):
    """(key, definition) for each stage that an entry of dvc.yaml makes."""
    entry = PIPELINE[name]
    if "foreach" not in entry:
        return [("", entry)]
    keys = lookup(PARAMS, entry["foreach"].strip("${}"))
    return [(key, entry["do"]) for key in keys]


def named(text, key):
    """The text of a stage of a foreach: over a table it names its key, over a list its item."""
    text = text.replace("${key}", key).replace("${item}", key)
    text = text.replace("${item.pixels}", PARAMS["backbones"].get(key, {}).get("pixels", ""))
    return text.replace("${item.module}", module_of(key))


def module_of(network):
    return PARAMS["networks"].get(network, {}).get("module", "")


def listed_code(definition, key):
    """What a stage lists of stages/, each entry with the Python files that it stands for."""
    paths = [Path(named(dependency, key)) for dependency in definition["deps"]]
    for path in paths:
        if path.parts[0] == "stages":
            files = (ROOT / path).rglob("*.py") if (ROOT / path).is_dir() else [ROOT / path]
            yield path, {file.relative_to(ROOT) for file in files if has_work(file.relative_to(ROOT))}


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_lists_what_it_imports_and_no_more(name):
    needed = imported_files(start_of(name))
    for key, definition in expand(name):
        is_of_network = Path("stages/models/__init__.py") in needed
        # What one network needs of the shared rooms is listed for all: a foreach has one list.
        of_networks = imported_files(*(f"stages.models.{each}" for each in models.names())) if is_of_network else set()
        own = {file for file in of_networks if file.parts[1] != "models" or file.stem in (module_of(key), "__init__")}
        listed = dict(listed_code(definition, key))
        assert needed | own <= set().union(*listed.values()), f"{name} {key}: missing among deps"
        for path, files in listed.items():
            used = files & (needed | own)
            assert len(used) >= (0.75 if path != Path("stages/core") else 0.4) * len(files), f"{name} {key}: {path}"


def test_rooms_hold_at_most_14_modules_of_200_lines_and_core_8():
    folders = {file.parent for file in (ROOT / "stages").rglob("*.py")}
    assert all(len([*folder.glob("*.py")]) <= 14 for folder in folders - {ROOT / "stages"})
    assert len([*(ROOT / "stages/core").glob("*.py")]) <= 8
    assert all(len(file.read_text().splitlines()) <= 200 for file in (ROOT / "stages").rglob("*.py"))


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_has_one_name_in_all_places(name):
    assert (ROOT / file_of(start_of(name))).is_file()
    assert (ROOT / "tests" / f"test_{name}.py").is_file() or (ROOT / "tests" / name / "test_run.py").is_file()
    _, definition = expand(name)[0]
    assert f"python -m stages.{name} " in definition["cmd"]
    assert definition["desc"]


@pytest.mark.parametrize("name", PIPELINE)
def test_every_path_of_a_command_is_declared(name):
    for _, definition in expand(name):
        declared = str(definition["deps"]) + str(definition.get("outs")) + str(definition.get("metrics"))
        for path in re.findall(r"(?:data|metrics)/\S+", definition["cmd"]):
            assert path in declared or path.startswith("metrics/timing/")


def keys_of(table):
    for key, value in table.items():
        yield key
        if isinstance(value, dict):
            yield from keys_of(value)


@pytest.mark.parametrize("name", PIPELINE)
def test_no_table_of_params_holds_a_key_that_dvcs_run_cache_ignores(name):
    for key, definition in expand(name):
        for listed in definition.get("params", []):
            value = PARAMS
            for part in named(listed, key).split("."):
                value = value[part]
            assert not isinstance(value, dict) or not {"size", "nfiles"} & set(keys_of(value)), listed


def test_preprocess_lists_all_of_its_params():
    _, definition = expand("preprocess")[0]
    assert definition["params"] == [*(f"preprocess.{key}" for key in PARAMS["preprocess"]), "inputs"]


def commands():
    """What `python -m stages.<name>` can run."""
    files = {path.stem for path in (ROOT / "stages").glob("[a-z]*.py")}
    return files | {path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")}


def test_every_step_and_command_is_in_the_documents():
    documents = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for name in commands() - set(PIPELINE):
        assert f"python -m stages.{name}" in documents
    assert set(PIPELINE) <= commands()


def test_every_network_has_its_params_and_is_read_without_complaint(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert set(PARAMS["backbones"]) <= set(PARAMS["pretrained"]["networks"])
    tested = PARAMS["cross_validation"]["networks"]
    assert all(PARAMS["networks"][name] == row for name, row in tested.items())
    assert set(PARAMS["networks"]) <= set(PARAMS["train"])
    assert set(models.names()) - {"published"} <= set(PARAMS["train"])
    modules = {name: row["module"] for name, row in PARAMS["networks"].items()}
    for name in set(PARAMS["train"]) - {"common"}:
        module = models.load(modules.get(name, models.module_of(name)))
        read_settings(name, module)
        row = PARAMS["pretrained"]["networks"].get(name, {})
        assert module is models.load("published") or row.get("min_side", module.MIN_SIDE) == module.MIN_SIDE


NO_TENSORS = (
    "collect", "clean", "preprocess", "split", "suggest", "compare", "champion", "report", "experiments", "review",
    "study",
)  # fmt: skip


@pytest.mark.parametrize("name", NO_TENSORS)
def test_steps_that_need_no_tensors_import_no_tensorflow(name):
    assert not {module.split(".")[0] for module in reached(start_of(name))} & {"keras", "tensorflow"}


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_that_reads_an_augmentation_has_them_among_its_params(name):
    for _, definition in expand(name):
        is_reader = "read_augmentation" in (ROOT / file_of(start_of(name))).read_text()
        assert not is_reader or "augmentations" in definition["params"]


def test_git_changes_no_line_end_of_any_file_because_dvc_hashes_bytes():
    for file in ("params.yaml", "dvc.lock", "data/review.csv", "new.txt"):
        assert shell(ROOT, "git", "check-attr", "text", "--", file).strip() == f"{file}: text: unset"
