"""The steps of the pipeline, each run as `python -m stages.<step>`, and the rooms that several steps share.

A step is a module or a folder and imports no other step. The layers of the shared rooms are in pyproject.toml, under
`tool.importlinter`.
"""

import gc
import io
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, TracebackType

STARTED_NS = time.time_ns()  # what is edited later may be read in its old or its new form
STDERR = 2


class QuietImport(MetaPathFinder):
    """A finder for `sys.meta_path` that leaves lines with the given texts out while the package is imported."""

    def __init__(self, package: str, texts: tuple[str, ...]) -> None:
        self.package, self.texts = package, texts

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the package as the other finders find it, made to be executed quietly; None for other modules."""
        if name != self.package:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_quietly(module: ModuleType) -> None:
            with without_lines(self.texts):
                execute(module)

        spec.loader.exec_module = execute_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def without_lines(texts: tuple[str, ...]) -> Iterator[None]:
    """Hold back what the process writes to standard error, and pass on the lines that contain none of the texts."""
    with tempfile.TemporaryFile() as held:
        shown = os.dup(STDERR)
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        finally:
            os.dup2(shown, STDERR)
            os.close(shown)
            held.seek(0)
            for line in held:
                if not any(text.encode() in line for text in texts):
                    os.write(STDERR, line)


def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Say of Ctrl-C one word, also during the imports, which take seconds; show other errors as Python does."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = show

# Names of files and what is printed may hold any letter; a terminal that lacks one shows its number.
if sys.getfilesystemencoding().lower() != "utf-8":
    raise SystemExit(
        f"locale: expected UTF-8 for the names of files, got {sys.getfilesystemencoding()}. "
        "Set LC_ALL to a locale of UTF-8 such as C.UTF-8, or PYTHONUTF8=1."
    )
for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper):
        _stream.reconfigure(errors="backslashreplace")
if sys.flags.optimize > 1:
    raise SystemExit(
        f"PYTHONOPTIMIZE: expected at most 1, got {sys.flags.optimize}: KerasCV builds its classes with docstrings."
    )

# TensorFlow prints a dozen lines about the processor and the missing GPU at each start, some of them before it reads
# this variable. Errors are raised all the same.
sys.meta_path.insert(0, QuietImport("tensorflow", ("cudart_stub.cc", "port.cc", "absl::InitializeLog()")))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns its oneDNN kernels on by itself on some Intel processors only. Measured on an AMD EPYC with AVX2: a
# training step of VGG takes a ninth of the time with them. Where TensorFlow turns them on, this changes nothing.
# A person's own setting, like the flags below, would give other models under the same name.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
for _flag in (
    "TF_XLA_FLAGS", "XLA_FLAGS", "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH",
):  # fmt: skip
    os.environ.pop(_flag, None)

# OpenCV adds numbers in an order that depends on the processor's instructions, and `clean` found one pair of drawings
# with AVX2 that it did not find with AVX-512. Without them every processor of this family gives the same bytes.
# Measured with AVX-512 and without: 4.8 and 4.6 seconds for `clean`; of an augmentation's operations on 128 pixels a
# filter takes 108 microseconds instead of 63, a rotation 113 instead of 110.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ["OPENCV_CPU_DISABLE"] = "SSE4.1,SSE4.2,AVX,FP16,AVX2,AVX512-SKX"

# Keras on another backend trains other models, and a person's keras.json may name one for the sake of other projects.
_backend = os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
if _backend != "tensorflow" and (_backend not in ("jax", "torch") or find_spec(_backend) is None):
    raise SystemExit(f"KERAS_BACKEND: expected tensorflow, or jax or torch where installed, got {_backend}.")

# Pillow cuts the pixels of an image into blocks. The C library keeps blocks of up to 32 MB for later, for each thread,
# and gives larger ones back at once. Measured while images of 90 megapixels were fetched by 16 threads: with blocks of
# 64 MB 600 MB in use at most, in every run; with Pillow's 16 MB from 630 to 1,350.
os.environ.setdefault("PILLOW_BLOCK_SIZE", "64m")

# While TensorFlow and Keras are imported Python looks for garbage some hundred times, and finds none. Measured on two
# cores: 7.1 seconds of computing for the imports with these thresholds, and 8.4 with Python's.
gc.set_threshold(10_000, 10, 10)

# Said by joblib where an error, such as that of a disk, ends the work of its threads.
warnings.filterwarnings("ignore", message=r"\d+ tasks (have been successfully executed|which were still)")

# keras_cv brings a progress bar that asks for widgets wherever a notebook imports it, and shows none.
warnings.filterwarnings("ignore", message="IProgress not found")

# Without this check a person who forgot to activate .venv gets a traceback.
for _package in (
    "numpy", "pandas", "PIL", "pi_heif", "pydantic", "ruamel.yaml", "cv2", "sklearn", "flask", "keras", "dvclive",
):  # fmt: skip
    try:
        _found = find_spec(_package)
    except ModuleNotFoundError:
        _found = None
    if _found is None:
        raise SystemExit(
            f"stages: expected the packages of requirements.txt, got no {_package}. "
            "Run `make setup`, then `. .venv/bin/activate`."
        )
