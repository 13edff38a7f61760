"""The steps of the pipeline, each run as `python -m stages.<step>`, and the rooms that several steps share.

A step is a module or a folder and imports no other step. The layers of the shared rooms are in pyproject.toml, under
`tool.importlinter`.
"""

import os
import warnings
from importlib.util import find_spec

# TensorFlow prints eight lines about the processor and the missing GPU at each start. Errors are raised all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns its oneDNN kernels on by itself on some Intel processors only. Measured on an AMD EPYC with AVX2: a
# training step of VGG takes a ninth of the time with them. Where TensorFlow turns them on, this changes nothing.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# keras_cv brings a progress bar that asks for widgets wherever a notebook imports it, and shows none.
warnings.filterwarnings("ignore", message="IProgress not found")

# Without this check a person who forgot to activate .venv gets a traceback.
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
