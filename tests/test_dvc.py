"""dvc.yaml, params.yaml and the modules that the stages import, held against each other."""

import ast
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages import models, sources
from stages.core import params

ROOT = Path(__file__).parents[1]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
# They hold no step's work: a docstring, and the check that the packages are there.
WITHOUT_WORK = {Path("stages/__init__.py"), Path("stages/core/__init__.py")}


def imported_modules(file):
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(module):
    """The module's file, and those of the packages that hold it."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        path = Path(*parts[:end])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if (ROOT / file).is_file():
                yield file


def imported_files(start):
    found, waiting = set(), [start]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += [each for module in imported_modules(file) if module for each in files_of(module)]
    return found - WITHOUT_WORK


def expand(name):
    """(key, definition) for each stage that an entry of dvc.yaml makes."""
    entry = PIPELINE[name]
    if "foreach" not in entry:
        return [("", entry)]
    keys = PARAMS[entry["foreach"].strip("${}")]
    return [(key, entry["do"]) for key in keys]


def named(text, key):
    """The text of a stage of a foreach: over a table it names its key, over a list its item."""
    return text.replace("${key}", key).replace("${item}", key)


def listed_files(definition, key):
    for dependency in definition["deps"]:
        path = Path(named(dependency, key))
        if path.parts[0] == "stages" and path.suffix in (".py", ""):
            yield from path.rglob("*.py") if (ROOT / path).is_dir() else [path]


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_depends_on_exactly_what_it_imports(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    for key, definition in expand(name):
        network = {Path(f"stages/models/{key}.py")} if Path("stages/models/__init__.py") in imported_files(
            Path(f"stages/{name}.py")
        ) else set()  # fmt: skip
        live = {Path(f"stages/sources/{source}.py") for source in sources.LIVE} if name == "collect" else set()
        needed = set().union(*(imported_files(start) for start in {Path(f"stages/{name}.py"), *network, *live}))
        listed = set(listed_files(definition, key))
        assert needed <= listed, f"{name} {key}: missing among deps"
        # Some networks need what others do not; a foreach lists it for all.
        for_others = {Path("stages/core/heads.py")} if network else set()
        assert listed <= needed | for_others, f"{name} {key}: listed but not imported"


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_depends_on_its_pages(name):
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "stages/pages").glob(f"{name}[._]*")}
    for _, definition in expand(name):
        assert pages == {path for path in definition["deps"] if path.startswith("stages/pages/")}


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_has_one_name_in_all_places(name):
    assert (ROOT / "stages" / f"{name}.py").is_file()
    assert (ROOT / "tests" / f"test_{name}.py").is_file()
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
    assert definition["params"] == [f"preprocess.{key}" for key in PARAMS["preprocess"]]


def test_every_stage_file_is_a_stage_or_a_command_of_the_readme():
    commands = {path.stem for path in (ROOT / "stages").glob("[a-z]*.py")} - set(PIPELINE)
    for name in commands:
        assert (ROOT / "tests" / f"test_{name}.py").is_file()
        assert f"python -m stages.{name}" in (ROOT / "README.md").read_text()
    assert set(PIPELINE) <= {path.stem for path in (ROOT / "stages").glob("[a-z]*.py")}


def test_no_stage_imports_another():
    for name in PIPELINE:
        others = {Path(f"stages/{other}.py") for other in PIPELINE if other != name}
        assert not imported_files(Path(f"stages/{name}.py")) & others


@pytest.mark.parametrize("folder", ["core", "models", "sources"])
def test_imports_point_one_way(folder):
    allowed = ("stages.core",) if folder != "sources" else ("stages.core", "stages.sources")
    for file in (ROOT / "stages" / folder).glob("*.py"):
        inside = [module for module in imported_modules(file.relative_to(ROOT)) if module.startswith("stages.")]
        assert all(module.startswith(allowed) for module in inside), file


def test_every_network_has_its_params_and_is_read_without_complaint(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert set(PARAMS["networks"]) <= set(models.names())
    assert set(PARAMS["backbones"]) <= set(PARAMS["pretrained"]["networks"])
    for name in models.names():
        params.read(models.load(name).Params, "train.common", f"train.{name}")


NO_TENSORS = (
    "collect", "clean", "preprocess", "split", "suggest", "compare", "champion", "report", "experiments", "review",
    "study",
)  # fmt: skip


def test_steps_that_need_no_tensors_import_no_tensorflow():
    for name in NO_TENSORS:
        modules = {module for file in imported_files(Path(f"stages/{name}.py")) for module in imported_modules(file)}
        assert not {module for module in modules if module and module.startswith(("keras", "tensorflow"))}, name


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_that_reads_an_augmentation_has_them_among_its_params(name):
    for _, definition in expand(name):
        is_reader = "read_augmentation" in (ROOT / f"stages/{name}.py").read_text()
        assert not is_reader or "augmentations" in definition["params"]
