"""The README's tree, table and commands, held against the repository."""

import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages import models
from stages.core.params import ABSENT
from stages.manifest.live_sources import LIVE, live_entries
from stages.tracking.run import in_force

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")


def test_no_placeholder_is_left():
    assert not re.findall(r"@[A-Z]+@|TODO", README)


def test_the_table_of_steps_is_dvc_yaml_in_its_order():
    assert first_column("The steps") == list(PIPELINE)


def test_the_table_of_networks_is_all_of_them():
    assert sorted(first_column("The networks")) == models.names()


def first_column(section):
    """What the rows of the section's table are about."""
    return re.findall(r"^\| `(\w+)` \|", README.split(f"## {section}\n")[1].split("\n## ")[0], re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_a_linked_file_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", re.findall(r"^    make ([\w-]+)", README, re.MULTILINE))
def test_a_make_target_exists(target):
    command = ["make", "--dry-run", "--always-make", target]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("key", "values"), re.findall(r"-S '?([\w.]+)=(\S+?)'?[ \n]", README))
def test_a_changed_param_exists(key, values):
    assert in_force(PARAMS, key) is not ABSENT
    assert values


@pytest.mark.parametrize(("stage", "network"), re.findall(r"(\w+)@(\w+)", README))
def test_a_named_stage_exists(stage, network):
    assert "foreach" in PIPELINE[stage]
    assert network in PARAMS["networks"] or f"+networks.{network}." in README
    assert network in models.names()


def test_every_source_has_a_section_whose_entry_is_right():
    text = (ROOT / "stages" / "sources" / "README.md").read_text()
    sections = dict(re.findall(r"^## `(\w+)`.*\n((?:(?!## ).*\n)+)", text, re.MULTILINE))
    for name in LIVE:
        [entry] = YAML(typ="safe").load(re.findall(r"^    (- .*)$", sections[name], re.MULTILINE)[0])
        [(found, *_)] = live_entries({"class": [entry]})
        assert found.split()[0] == name
    assert {"folder", "kaggle"} <= set(sections)


def test_the_table_of_experiments_fits_120_columns():
    assert max(map(len, README.splitlines())) <= 210  # a row of the table of steps
    experiments = [line for line in README.splitlines() if "├──" in line or "Experiment  " in line]
    assert experiments
    assert max(map(len, experiments)) <= 120
