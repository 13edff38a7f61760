"""The documents' commands, links, file names and params, held against the repository."""

import argparse
import ast
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.manifest.live_sources import LIVE, live_entries

ROOT = Path(__file__).parents[2]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
NETWORKS = set(PARAMS["train"]) - {"common"}
TABLES_OF_NETWORKS = ("networks", "backbones", "train")  # which a row can be added to
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "stages" / "sources" / "README.md",
    ]
}
README = PAGES["README.md"]
EXAMPLES = ("data/birds", "data/manifest.csv", "metrics/searches/xception", "metrics/studies/birds", "studies/birds")
WHILE_RUNNING = ".dvc/tmp/"  # what DVC and studies write there is gone when they end
SHELL = ("bash", "export", ".", "git", "make", "pip", "ray")
FILE = re.compile(r"\.(csv|json|md|npy|png|py|yaml)$")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_page = pytest.mark.parametrize("page", PAGES)


def prose(text):
    """The page without its fenced blocks."""
    return FENCE.sub("", text)


def read_commands(text):
    """Each command of the page's indented blocks, with its continued lines joined, and each one in backticks."""
    indented = re.sub(r" *\\\n +", " ", "\n".join(re.findall(r"^ {4}(.+)$", prose(text), re.MULTILINE)))
    found = [line for line in indented.splitlines() if not is_yaml(line)]
    quoted = re.findall(r"`((?:python -m stages\.\w+ |dvc |make )[^`]+)`", re.sub(r"\s+", " ", prose(text)))
    return [*found, *(line for line in quoted if not re.search(r"[<…*]", line))]


def is_yaml(line):
    return re.match(r"\s*(- \{|[a-z_]+:( |$))", line) is not None


def split_line(line):
    """The words of each command of a line, without its comment."""
    words, commands = shlex.split(line, comments=True), [[]]
    for word in words:
        if word == "&&":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


COMMANDS = [
    (name, words)
    for name, text in PAGES.items()
    if name != "CHANGELOG.md"  # names commands of earlier versions too
    for line in read_commands(text)
    for words in split_line(line)
]


def starting_with(*start):
    chosen = {" ".join(words): words[len(start) :] for _, words in COMMANDS if words[: len(start)] == [*start]}
    return pytest.mark.parametrize("words", chosen.values(), ids=chosen)


class Parsed(Exception):
    """Raised in place of what a command would do with its arguments."""


@starting_with("python", "-m")
def test_a_command_of_this_project_takes_its_arguments(words, monkeypatch, capsys):
    module, *arguments = words
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser, args=None, namespace=None):
        raise Parsed(parse(parser, args, namespace))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.chdir(ROOT)
    found = f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
    main = runpy.run_module(found, run_name="documents")["main"]
    try:
        main()
    except Parsed:
        return
    except SystemExit as error:
        pytest.fail(f"{error.code}: {capsys.readouterr().err}")
    pytest.fail("expected a command that reads its arguments")


@pytest.fixture(scope="module")
def dvc_parser():
    from dvc.cli.parser import get_main_parser

    return get_main_parser()


@starting_with("dvc")
def test_a_command_of_dvc_takes_its_arguments(words, dvc_parser):
    arguments = dvc_parser.parse_args(words)
    for target in getattr(arguments, "targets", None) or []:
        stage, _, network = str(target).partition("@")
        if words[0] in ("repro", "exp"):
            assert stage in PIPELINE
            assert not network or ("foreach" in PIPELINE[stage] and network in NETWORKS)


@starting_with("make")
def test_a_make_target_exists(words):
    assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_knows_how_to_make_each_target():
    targets = sorted({words[1] for _, words in COMMANDS if words[:1] == ["make"]})
    command = ["make", "--dry-run", "--always-make", *targets]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@starting_with("bash")
def test_a_script_exists(words):
    assert (ROOT / words[0]).is_file()


def test_every_command_is_of_a_kind_that_is_checked():
    others = [words for _, words in COMMANDS if words[0] not in (*SHELL, "dvc") and words[:2] != ["python", "-m"]]
    assert others == []


def named_params(text):
    """Each param that a page sets with `-S` or names in backticks."""
    set_there = re.findall(r"-S [\"']?([\w.]+)=", text)
    quoted = re.findall(r"`([a-z_]+\.[\w.]+)(?:: [^`]*)?`", text)
    return {*set_there, *(key for key in quoted if key.split(".")[0] in PARAMS and not FILE.search(key))}


def is_param(key):
    table, *path = key.split(".")
    if table == "train" and len(path) > 1:
        return path[1] in {**PARAMS["train"]["common"], **PARAMS["train"][path[0]]}
    if table == "networks":
        return path[0] in NETWORKS
    value = PARAMS[table]
    for part in path:
        if part not in value:
            return False
        value = value[part]
    return True


@each_page
def test_every_named_param_exists(page):
    assert [key for key in named_params(PAGES[page]) if not is_param(key)] == []


def outputs():
    """Every path that the pipeline writes, with the names of networks put in."""
    text = (ROOT / "dvc.yaml").read_text()
    paths = re.findall(r"(?:data|metrics)/[\w.${}/-]+", text)
    filled = [re.sub(r"\$\{\w+(\.\w+)?\}", "*", path) for path in paths]
    return [re.compile(re.escape(path).replace(r"\*", r"[\w<>-]+")) for path in filled]


OUTPUTS = outputs()


def is_there(path):
    """Return whether the path is in the repository or written by the pipeline, perhaps below one of its outputs."""
    if path.startswith((*EXAMPLES, WHILE_RUNNING)) or list(ROOT.glob(path.rstrip("/"))):
        return True
    return any(one.match(path.rstrip("/")) for one in OUTPUTS)


NAMED = r"`((?:stages|tests|data|metrics|studies|benchmarks|docs|notebooks|\.ci|\.github|\.dvc)/[\w./<>*-]+)`"


@each_page
def test_every_named_file_exists(page):
    assert [path for path in re.findall(NAMED, PAGES[page]) if not is_there_or_new(page, path)] == []


def is_there_or_new(page, path):
    pattern = re.sub(r"<\w+>", "*", path)
    is_new = page == "CONTRIBUTING.md" and "<name>" in path  # of what a person is to write
    return is_there(path) or is_there(pattern) or (is_new and (ROOT / path.split("<")[0]).is_dir())


@each_page
def test_every_link_leads_to_a_file_and_a_heading_in_it(page):
    links = re.findall(r"\]\(((?!http)[^)\s]+)\)", prose(PAGES[page]))
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page, link):
    file, _, anchor = link.partition("#")
    target = ((ROOT / page).parent / file).resolve() if file else ROOT / page
    return target.exists() and (not anchor or anchor in anchors(target.read_text(encoding="utf-8")))


def anchors(text):
    """The names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", [name for name in PAGES if name.startswith("docs/")])
def test_the_readme_links_to_every_page(page):
    assert f"({page})" in README


@pytest.mark.parametrize(("page", "block"), [
    (page, block) for page, text in PAGES.items() for kind, block in FENCE.findall(text) if kind == "yaml"
])  # fmt: skip
def test_a_block_of_params_is_of_sections_that_exist(page, block):
    values = YAML(typ="safe").load(block)
    for section, table in values.items():
        known = NETWORKS | set(values.get("train", {})) if section in TABLES_OF_NETWORKS else set(PARAMS[section])
        assert set(table) <= known
    assert "collect" not in values or list(live_entries(values["collect"]["listings"]))


@each_page
def test_no_placeholder_is_left(page):
    assert not re.findall(r"@[A-Z]+@|TODO", PAGES[page])


@each_page
def test_an_image_is_never_called_a_picture(page):
    assert not re.findall(r"\bpictures?\b", PAGES[page]) or page == "CHANGELOG.md"  # says what changed


def test_the_readme_is_short_and_fits_a_terminal():
    assert len(README.splitlines()) <= 150
    assert max(map(len, README.splitlines())) <= 100


def test_the_table_of_steps_is_dvc_yaml_in_its_order():
    assert first_column(README, "The steps")[: len(PIPELINE)] == list(PIPELINE)
    assert first_column(PAGES["docs/architecture.md"], "The flow of data") == list(PIPELINE)


def test_the_other_table_is_all_other_commands():
    commands = {path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")}
    commands |= {path.stem for path in (ROOT / "stages").glob("[a-z]*.py")}
    assert set(first_column(README, "The steps")) == commands


def test_the_tree_has_every_room_that_steps_share():
    steps = {*first_column(README, "The steps")}
    rooms = {path.parent.name for path in (ROOT / "stages").glob("*/__init__.py")} - steps
    tree = README.split("## What is where")[1].split("\n## ")[0]
    assert rooms <= set(re.findall(r"(\w+)/ ", tree))


def test_the_table_of_networks_is_all_of_them():
    assert sorted(first_column(PAGES["docs/networks.md"], "The networks")) == sorted(NETWORKS)


def first_column(text, section):
    """What the rows of the section's tables are about."""
    return re.findall(r"^\| `(\w+)` +\|", text.split(f"## {section}\n")[1].split("\n## ")[0], re.MULTILINE)


COLUMNS = {
    "data/1_raw/images.csv": ("collect/run.py", "IMAGE_COLUMNS"),
    "data/1_raw/failures.csv": ("collect/run.py", "FAILURE_COLUMNS"),
    "data/2_clean/rejected.csv": ("clean/run.py", "REJECTED_COLUMNS"),
    "data/2_clean/pairs.csv": ("clean/run.py", "PAIR_COLUMNS"),
    "data/4_split/leaks.csv": ("split/leaks.py", "LEAK_COLUMNS"),
    "data/5_suggestions/suggestions.csv": ("suggest.py", "COLUMNS"),
    "data/review.csv": ("images/decisions.py", "COLUMNS"),
}


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_the_columns_that_are_documented(table):
    file, name = COLUMNS[table]
    tree = ast.parse((ROOT / "stages" / file).read_text(encoding="utf-8"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    value = assigned[name]
    assert documented_columns(table) == ast.literal_eval(value)


@pytest.mark.parametrize("table", ["runs", "curves", "answers"])
def test_the_committed_tables_begin_with_the_documented_columns(table):
    columns = documented_columns(f"metrics/studies/<study>/{table}.csv")
    for path in (ROOT / "metrics" / "studies").glob(f"*/{table}.csv"):
        header = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
        assert header[: len(columns)] == columns


def documented_columns(table):
    """The names in backticks of the last cell of the table's row."""
    [row] = re.findall(rf"^\| `{re.escape(table)}` \|.*$", PAGES["docs/architecture.md"], re.MULTILINE)
    return re.findall(r"`([\w.]+)`", row.split(" | ")[2])


def test_every_source_has_a_section_whose_entry_is_right():
    text = PAGES["stages/sources/README.md"]
    sections = dict(re.findall(r"^## `(\w+)`.*\n((?:(?!## ).*\n)+)", text, re.MULTILINE))
    for name in LIVE:
        [entry] = YAML(typ="safe").load(re.findall(r"^    (- .*)$", sections[name], re.MULTILINE)[0])
        [(found, *_)] = live_entries({"class": [entry]})
        assert found.split()[0] == name
    assert {"folder", "kaggle"} <= set(sections)


def test_the_study_of_the_drawings_quotes_its_documents():
    study = YAML(typ="safe").load(ROOT / "studies" / "clipart.yaml")
    sweeps = [sweep for network in study["networks"].values() for sweep in network["sweeps"].values()]
    pages = re.sub(r"\s+", " ", README + PAGES["docs/limits.md"])
    for each in [study["images"], *sweeps, *study["findings"]]:
        assert each["quote"] in pages
