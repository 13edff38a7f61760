"""The study file with which a new study begins."""

from pathlib import Path

from stages.core import params
from stages.core.files import replacing
from stages.study.plan import PIXELS
from stages.study.study_file import STUDIES
from stages.tracking.run import NAME

STARTER = """\
question: Which {name} does an image show?
document: our own notes   # or the document whose findings and sentences are below

images:
  origin: photographs, a folder for each class
  quote: ""
  source: data/{name}       # a folder <class>/…, an archive, or any other value of `collect.source`
  how: Put the images of each class into data/{name}/<class>/.
  params: {{}}              # for these images only, not for images that --data names

params: {{}}                # any keys of params.yaml, as in {{preprocess.size: 96}}; all other keys keep their values

networks:
  vgg:                    # learns from these images only
    input: {vgg_input}   # as in params.yaml; data/3_pixels: at preprocess.size
    params: {{}}            # before the first sweep, as in {{epochs: 20, augmentation: small}}
    sweeps:               # one after the other, each from the values chosen before it
      learning_rate:
        param: learning_rate  # of train.vgg; with a dot, any key of params.yaml
        values: [1e-3, 3e-4, 1e-4]
        chosen: 3e-4      # for the sweeps after it; with `--carry measured` they use the best on validation
        quote: ""
  xception:
    input: data/5_features/xception   # ImageNet weights: only a head is trained
    params: {{}}
    sweeps: {{}}

instead: []               # what cannot be run as the document states it: {{stated: …, run: …, why: …}}

findings:                 # to compare with the results
  - claim: transfer beats training from scratch
    quote: So few photographs should need the weights of ImageNet.
    check: beats          # or best_of, does_not_learn, overfits, reaches, precise, costs, none
    better: {{network: xception}}
    worse: {{network: vgg}}
    split: test
"""


def write_starter(name: str) -> Path:
    """Write a new study file, which can be run once its images are there, and return its path.

    The network that learns from these images only is fed what params.yaml feeds it, so that the sweep begins with the
    network that the pipeline trains.

    Raises:
        ValueError: The name has other characters than allowed, or is taken.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"study: expected a name of small letters, digits and _, got {name}.")
    path = STUDIES / f"{name}.yaml"
    if path.exists():
        raise ValueError(f"{path}: expected no study of that name yet, got one.")
    vgg_input = params.load()["networks"].get("vgg", {}).get("input", PIXELS)
    with replacing(path) as unfinished:
        unfinished.write_text(STARTER.format(name=name, vgg_input=vgg_input), encoding="utf-8")
    return path
