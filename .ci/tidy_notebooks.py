"""Take out of executed notebooks what changes with each run and each machine: times, and Python's version.

python .ci/tidy_notebooks.py notebooks/*.ipynb
"""

import sys

import nbformat


def main(paths):
    """Write each notebook anew, without."""
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata.language_info = {"name": "python"}
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
