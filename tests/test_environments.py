"""What the project makes of the environment that it is started in."""

import os
import platform
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            "locale: expected UTF-8 for the names of files",
        ),
        ({"PYTHONOPTIMIZE": "2"}, "PYTHONOPTIMIZE: expected at most 1, got 2"),
    ],
)
def test_an_environment_that_cannot_work_is_one_line(root, variables, said):
    ended = start(root, "import stages", variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith(said) and ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "variables", [{}, {"LC_ALL": "C"}, {"PYTHONOPTIMIZE": "1"}, {"PYTHONWARNINGS": "error"}, {"TZ": ":/nowhere"}]
)
def test_other_environments_print_any_letter(root, variables):
    assert start(root, "import stages; print('\u00b1')", variables).stdout == "\u00b1\n"


def test_flags_that_would_change_models_have_no_effect(root):
    flags = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_XLA_FLAGS": "--tf_xla_auto_jit=2", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}
    flags |= {"ONEDNN_MAX_CPU_ISA": "AVX", "KERAS_MAX_EPOCHS": "1"}
    code = f"import os, stages; print(*(os.environ.get(name, 'none') for name in {[*flags]}))"
    assert start(root, code, flags).stdout == "1 none none none none\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the names are those of this family of processors")
def test_opencv_computes_alike_on_every_processor(root):
    """A feature with a mark is used where the processor has it, unless a question mark says that it is disabled."""
    code = "import stages, cv2; print(cv2.getCPUFeaturesLine())"
    features = start(root, code, {"OPENCV_CPU_DISABLE": ""}).stdout.split()
    dispatched = [feature for feature in features if feature.startswith("*")]
    assert dispatched and all(feature.endswith("?") for feature in dispatched)


def test_keras_runs_on_tensorflow_unless_a_person_says_otherwise(root):
    code = "import os, stages; print(os.environ['KERAS_BACKEND'])"
    assert start(root, code, {"KERAS_BACKEND": ""}).stdout == "tensorflow\n"


def test_an_interrupt_of_the_imports_is_one_line(root):
    ended = start(root, "import stages; raise KeyboardInterrupt", {})
    assert ended.stderr == "interrupted.\n"
    assert ended.returncode == -signal.SIGINT


def test_a_mistake_of_ours_during_the_imports_keeps_its_traceback(root):
    assert "Traceback" in start(root, "import stages; raise KeyError", {}).stderr


@pytest.mark.parametrize("backend", ["mxnet", "jax"])
def test_a_backend_that_is_not_installed_is_one_line(root, backend):
    ended = start(root, "import stages", {"KERAS_BACKEND": backend})
    assert ended.returncode == 1
    assert ended.stderr == f"KERAS_BACKEND: expected tensorflow, or jax or torch where installed, got {backend}.\n"


@pytest.mark.slow
def test_types_that_a_person_set_for_keras_have_no_effect(root, tmp_path):
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float64", "epsilon": 1e-3, "image_data_format": "channels_first", "backend": "jax"}'
    )
    code = (
        "import stages, keras; from stages.networks.determinism import fix; print(keras.config.floatx()); fix(0, 1)\n"
    )
    code += "print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())\n"
    code += "print(keras.layers.Dense(1).dtype_policy.name)"
    ended = start(root, code, {"KERAS_HOME": str(tmp_path)})
    assert ended.stdout.splitlines() == ["float64", "float32 1e-07 channels_last", "float32"]


def test_a_terminal_that_lacks_a_letter_shows_its_number(root):
    ended = start(root, r"import stages; print('\u00b1 \udcfc')", {"PYTHONIOENCODING": "ascii"})
    assert (ended.returncode, ended.stdout) == (0, "\\xb1 \\udcfc\n")


def start(root, code, variables):
    environment = os.environ | variables
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        pytest.param(
            "import os, stages; os.write(2, b'before\\n'); import keras; os.write(2, b'after\\n')", "before\nafter\n",
            marks=pytest.mark.slow,
        ),
        ("import os; from stages import without_lines\n"
         "with without_lines(('port.cc',)): os.write(2, b'port.cc\\nelse\\n')", "else\n"),
    ],
)  # fmt: skip
def test_tensorflow_is_imported_without_its_notices_and_with_all_other_lines(root, code, shown):
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ended.stderr == shown
