"""The steps of the pipeline, one file each, run as `python -m stages.<name>`."""

from importlib.util import find_spec

# Without this a person who forgot to activate .venv meets a traceback.
for _package in ("numpy", "pandas", "PIL", "pydantic", "ruamel.yaml", "keras"):
    try:
        _found = find_spec(_package)
    except ModuleNotFoundError:
        _found = None
    if _found is None:
        raise SystemExit(
            f"stages: expected the packages of requirements.txt, got no {_package}. "
            "Run `make setup`, then `. .venv/bin/activate`."
        )
