"""The steps of the pipeline, one file each, run as `python -m stages.<name>`."""

import os
from importlib.util import find_spec

# TensorFlow greets in eight lines about the processor and the absent GPU; what goes wrong raises all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Without this a person who forgot to activate .venv meets a traceback.
for _package in ("numpy", "pandas", "PIL", "pydantic", "ruamel.yaml", "cv2", "sklearn", "flask", "keras", "dvclive"):
    try:
        _found = find_spec(_package)
    except ModuleNotFoundError:
        _found = None
    if _found is None:
        raise SystemExit(
            f"stages: expected the packages of requirements.txt, got no {_package}. "
            "Run `make setup`, then `. .venv/bin/activate`."
        )
