"""A study file to begin with."""

from pathlib import Path

from stages.core.files import replacing
from stages.study.study_file import STUDIES
from stages.tracking.run import NAME

STARTER = """\
question: Which {name} does a picture show?
document: our own notes   # or the one whose findings stand below, and whose sentences the quotes are

images:
  origin: photographs, a folder for each class
  quote: ""
  source: data/{name}       # a folder <class>/…, an archive, or whatever else `collect.source` takes
  how: Put the images of each class into data/{name}/<class>/.
  params: {{}}              # of these images alone, where others are given with --data

params: {{}}                # any keys of params.yaml, as in {{preprocess.size: 96}}; all else stays as it is there

networks:
  vgg:                    # learns from these images alone
    input: data/3_pixels
    params: {{}}            # before the first sweep, as in {{epochs: 20, augmentation: small}}
    sweeps:               # one after the other, each from the values chosen before it
      learning_rate:
        param: learning_rate  # of train.vgg; with a dot, any key of params.yaml
        values: [1e-3, 3e-4, 1e-4]
        chosen: 3e-4      # where `--carry document` goes on; `--carry measured` takes the best on validation
        quote: ""
  xception:
    input: data/5_features/xception   # ImageNet weights: only a head is trained
    params: {{}}
    sweeps: {{}}

instead: []               # what cannot be run as the document has it: {{stated: …, run: …, why: …}}

findings:                 # what to hold against the results
  - claim: transfer beats training from scratch
    quote: So few photographs should need the weights of ImageNet.
    check: beats          # or best_of, does_not_learn, overfits, reaches, precise, costs, none
    better: {{network: xception}}
    worse: {{network: vgg}}
    split: test
"""


def write_starter(name: str) -> Path:
    """The path of a new study file, which runs as it is once its images are there.

    Raises:
        ValueError: the name cannot be one, or is taken.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"study: expected a name of small letters, digits and _, got {name}.")
    path = STUDIES / f"{name}.yaml"
    if path.exists():
        raise ValueError(f"{path}: expected no study of that name yet, got one.")
    with replacing(path) as unfinished:
        unfinished.write_text(STARTER.format(name=name), encoding="utf-8")
    return path
