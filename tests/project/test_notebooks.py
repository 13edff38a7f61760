"""The notebooks as they are committed: executed, without logic of their own, the same wherever they were run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOGIC = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
# A path from the root, but not the end of an address, of a tag or of a relative path; or where an object lay in memory.
OF_A_MACHINE = re.compile(r"(?<![\w.:/<])/(?:[\w.-]+/)+[\w.-]*|\bat 0x[0-9a-f]+")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def texts(outputs):
    """Yield the texts of the outputs, without images."""
    for output in outputs:
        if output.output_type == "stream":
            yield output.text
        else:
            yield from (text for kind, text in output.get("data", {}).items() if not kind.startswith("image/"))


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["adhoc_prediction", "compare_experiments", "explore_data"]


def test_is_executed_from_top_to_bottom(cells):
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell.outputs) for cell in cells) >= 3


def test_shows_no_error_and_no_warning(cells):
    kinds = {(output.output_type, output.get("name")) for cell in cells for output in cell.outputs}
    assert not kinds & {("error", None), ("stream", "stderr")}


def test_defines_nothing(cells):
    for cell in cells:
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, LOGIC)], cell.source


def test_tells_nothing_of_the_machine(cells):
    for text in texts([output for cell in cells for output in cell.outputs]):
        assert not OF_A_MACHINE.findall(text)


@pytest.mark.parametrize(
    ("text", "is_of_a_machine"),
    [
        ("saved as /tmp/x/figure.png", True), ("'/home/anna/repository/data'", True), ("<Plot at 0x7f0cc25bad0>", True),
        ("data/1_raw/food/a.webp", False), ("https://example.org/a/b", False), ("</td></tr>", False),
        ("70/15/15", False),
    ],
)  # fmt: skip
def test_a_path_of_a_machine_is_known(text, is_of_a_machine):
    assert bool(OF_A_MACHINE.findall(text)) == is_of_a_machine


def test_is_small_and_tidy(path, tmp_path):
    assert path.stat().st_size < 1_000_000
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    subprocess.run([sys.executable, ROOT / ".ci" / "tidy_notebooks.py", copy], check=True)
    assert copy.read_bytes() == path.read_bytes()


def test_tidy_takes_out_times_and_versions(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", metadata={"execution": {"a": "12:00"}})])
    notebook.metadata.language_info = {"name": "python", "version": "3.11.7"}
    nbformat.write(notebook, tmp_path / "one.ipynb")
    subprocess.run([sys.executable, ROOT / ".ci" / "tidy_notebooks.py", tmp_path / "one.ipynb"], check=True)
    tidy = nbformat.read(tmp_path / "one.ipynb", as_version=4)
    assert (tidy.metadata.language_info, tidy.cells[0].metadata) == ({"name": "python"}, {})
