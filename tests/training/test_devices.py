import subprocess

import pytest

from tests.repositories import ROOT, warm_environment

# Two logical devices of the processor take the place of two GPUs. The script runs in a process of its own, because
# devices are divided before the first tensor.
SCRIPT = """
import numpy as np, pandas as pd, tensorflow as tf
from pathlib import Path
processor, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
from stages import models
from stages.training import devices
from stages.train import run as train
from stages.training.hyperparams import read_settings
from stages.transforms.affine import Augmentation

devices.list_gpus = lambda: ["CPU:0", "CPU:1"]
models.__path__.append({networks!r})
settings = read_settings("vgg", models.load("vgg"))
changes = dict(epochs=8, batch_size=8, threads=1, dropout=0.0, learning_rate=3e-2, gpus=2)
settings = settings.model_copy(update=changes)
labels = np.arange(40) % 2
Path("pixels").mkdir(exist_ok=True)
noise = np.random.default_rng(0).integers(0, 100, (40, 16, 16, 3))
np.save("pixels/images.npy", (noise + 150 * labels[:, None, None, None]).astype(np.uint8))
table = pd.DataFrame(dict(image_id=[f"{{i:064x}}" for i in range(40)]))
table["split"] = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
table["class"] = np.where(labels == 1, "light", "dark")
table.to_csv("pixels/index.csv", index=False)
Path("pixels/preprocessing.json").write_text("{{}}")
table.to_csv("split.csv", index=False)
seen = []
tiny = models.load("tiny")
build = tiny.build

def watched(*arguments):
    seen.append(tf.distribute.get_strategy().num_replicas_in_sync)
    return build(*arguments)

tiny.build = watched
train.run("tiny", "tiny", settings, Augmentation(), Path("pixels"), Path("split.csv"), Path("model"), Path("live"))
history = pd.read_csv("model/history.csv")
print(seen, history["accuracy"].iloc[-1], history["loss"].round(3).tolist())
"""


@pytest.mark.slow
def test_copies_of_the_model_share_the_batches_and_learn(project, tmp_path):
    networks = str(ROOT / "tests" / "tiny_network")
    environment = warm_environment() | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = ["python", "-c", SCRIPT.format(networks=networks)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.splitlines()[-1].startswith("[2] 1.0 ")  # two copies, and all training images right
