"""Repositories like a person's: this working tree's files, params of a small run, and drawn images."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
WARM = ROOT / "tests" / "warm_python"
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
NETWORKS = ("vgg", "xception")  # one that learns from pixels, and one from the activations of a backbone
TRAINED = (*NETWORKS, "convnet", "vgg16")  # with those of the studies
AUGMENTATIONS = ("none", "rotation", "clipart", "kuroko_kagami")  # of these networks
LEFT_OUT = ("alexnet", "peetznet", "efficientnet_lite0")
EVALUATIONS = [f"evaluate@{name}" for name in NETWORKS]
N_STAGES = 8 + 2 + 3 * len(NETWORKS) + 1 + 3


def warm_environment():
    """Return the environment in which DVC starts the steps as forks of a process that has imported TensorFlow."""
    return ENVIRONMENT | {"PATH": f"{WARM}{os.pathsep}{ENVIRONMENT['PATH']}", "WARM_PYTHON": warm_python()}


@cache
def warm_python():
    """Return the address of the process that forks, which is started if it does not run yet."""
    if "WARM_PYTHON" in os.environ:  # workers have it from the process that started them
        return os.environ["WARM_PYTHON"]
    sockets = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, sockets)
    address = str(Path(sockets, "warm_python"))
    command = [sys.executable, WARM / "server.py", address]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    atexit.register(server.communicate)  # closes its standard input, which ends it
    return address


def run(folder, *command, expect=0):
    return shell(folder, *command, expect=expect, environment=warm_environment())


def shell(folder, *command, expect=0, environment=ENVIRONMENT):
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == expect, output
    return output


def restore(repository):
    """Bring back the committed code, params and data."""
    run(repository, "git", "reset", "--quiet", "--hard")
    run(repository, "dvc", "checkout", "--force")


def stages_run(output):
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def shrink(params):
    """The smallest run that still passes through every step; random weights, so that nothing is downloaded.

    DVC reads all of params.yaml, and writes what a stage reads of it, at every stage: what no test uses is left out.
    """
    for table, used in ((params["augmentations"], AUGMENTATIONS), (params["train"], ("common", *TRAINED))):
        for name in set(table) - set(used):
            del table[name]
    params["preprocess"] |= {"size": 72}  # Xception needs 71
    for name in LEFT_OUT:
        for table in (params["networks"], params["backbones"], params["cross_validation"]["networks"]):
            table.pop(name, None)
    params["inputs"] = {}
    params["networks"]["vgg"]["input"] = "data/3_pixels"
    for name in NETWORKS:
        params["train"][name] |= {"epochs": 1, "width": 0.02}
    params["cross_validation"] |= {"folds": 3, "deals": 1, "choice_deals": 1}
    params["pretrained"]["allow_random"] = True
    params["pretrained"]["networks"]["xception"]["mirrors"] = ["random"]
    params["collect"]["source"] = "data/own"


def draw_classes(folder):
    random = np.random.default_rng(0)
    for number, name in enumerate(("bars", "blobs", "dots")):
        (folder / name).mkdir(parents=True)
        for i in range(16):
            cells = random.integers(0, 256, (6 + 4 * number, 6 + 2 * number, 3), dtype=np.uint8)
            Image.fromarray(cells).resize((90, 80), Image.Resampling.NEAREST).save(folder / name / f"{i}.png")


# The results of the pipeline on the embedded drawings, and the drawings.
EVALUATED = tuple(f"data/7_evaluations/{name}" for name in LEFT_OUT)
RESULTS = ("metrics/", "dvc.lock", "data/0_embedded/clipart.zip", *EVALUATED)


def copy_working_tree(folder, left_out):
    """Copy the files that git tracks or would add, except paths that begin like one of `left_out`."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(left_out):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
