"""Which experiments count as finished, and the reason that is reported for a failed one."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import psutil
import pytest
from dvc.repo import Repo as DvcRepository
from ruamel.yaml import YAML

from stages.tracking import dvc_experiments as experiments
from stages.tracking.dvc_experiments import (
    execute,
    experiment_command,
    failure_reason,
    missing_data,
    references,
)
from stages.tracking.dvc_lock import hash_folder, is_current, upstream
from stages.tracking.run import Run, params_seen_by
from stages.tracking.runner import only_study
from tests.repositories import ENVIRONMENT, ROOT, shell
from tests.study.test_run import wait_for


def md5(path):
    return hashlib.md5(Path(path).read_bytes()).hexdigest()


# The hash that DVC 3.67 records of a folder with one file, folder.py, whose content is an x.
FOLDER = "e947055ce1e6d6975f179e0e73a80f69.dir"


@pytest.fixture
def lock(project, tmp_path):
    """The stages that dvc.lock would record of a small pipeline in this folder."""
    for name in ("source.zip", "train.py", "other.py"):
        (tmp_path / name).write_text(name)
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "folder.py").write_text("x")

    command = "python -m stages.train ${key} ${item.module} ${item.input}"
    stages = {"collect": {"cmd": "collect"}, "train": {"foreach": "${networks}", "do": {"cmd": command}},
              "evaluate": {"foreach": "${networks}", "do": {"cmd": "evaluate ${key}"}}}  # fmt: skip
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))

    def code(name):
        return {"path": name, "md5": md5(name)}

    train = "python -m stages.train vgg vgg data/3_inputs/small"
    return {
        "collect": {"cmd": "collect", "deps": [code("source.zip"), {"path": "sources", "md5": FOLDER}],
                    "outs": [{"path": "data/1_raw"}], "params": {"params.yaml": {"clean.min_side": 32}}},
        "train@vgg": {"cmd": train, "deps": [code("train.py"), {"path": "data/1_raw/images.csv", "md5": "1"}],
                      "outs": [{"path": "data/6/model"}], "params": {"params.yaml": {"train.vgg": VGG}}},
        "evaluate@vgg": {"cmd": "evaluate vgg", "deps": [{"path": "data/6/model", "md5": "2"}],
                         "outs": [{"path": "metrics/vgg.json"}]},
        "train@other": {"cmd": "train other", "deps": [{"path": "other.py", "md5": "stale"}],
                        "outs": [{"path": "data/6/other"}]},
    }  # fmt: skip


VGG = {
    "learning_rate": 3e-4,
    "dropout": 0.1,
    "epochs": 40,
    "width": 0.125,
    "scaling": "unit",
    "augmentation": "clipart",
}


def document():
    return params_seen_by(Run("name", "vgg", {}, ""))


def test_a_target_needs_what_made_its_inputs_and_nothing_else(lock):
    assert upstream(lock, "evaluate@vgg") == ["evaluate@vgg", "train@vgg", "collect"]
    assert upstream(lock, "evaluate@resnet") == []


def test_an_experiment_with_the_same_params_code_and_source_is_current(lock):
    assert is_current(lock, "evaluate@vgg", document())
    assert not is_current(lock, "evaluate@resnet", document())


@pytest.mark.parametrize(("key", "value"), [("module", "alexnet"), ("input", "data/3_pixels")])
def test_another_module_or_input_makes_it_stale(lock, project, key, value):
    project(f"networks.vgg.{key}", value)
    assert not is_current(lock, "evaluate@vgg", document())


def test_another_size_of_images_makes_it_stale_only_if_a_stage_reads_it(lock, project):
    lock["collect"]["outs"].append({"path": "data/3_inputs"})
    lock["collect"]["params"]["params.yaml"]["inputs"] = {"small": 48, "large": 192}
    project("inputs", {"small": 64, "large": 192})
    assert is_current(lock, "evaluate@vgg", document())
    lock["train@vgg"]["deps"].append({"path": "data/3_inputs/small", "md5": "3"})
    assert not is_current(lock, "evaluate@vgg", document())
    project("inputs", {"small": 48, "large": 256})
    assert is_current(lock, "evaluate@vgg", document())


@pytest.mark.parametrize("file", ["train.py", "sources/folder.py"])
def test_other_code_or_another_source_makes_it_stale(lock, file):
    Path(file).write_text("something else")
    assert not is_current(lock, "evaluate@vgg", document())


def test_a_folder_has_dvcs_hash_and_what_dvcignore_names_does_not_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    code, compiled = tmp_path / "code", tmp_path / "code" / "__pycache__"
    compiled.mkdir(parents=True)
    for file in (code / "step.py", code / "stray.pyc", compiled / "step.cpython-311.pyc", compiled / "notes.txt"):
        file.write_text(file.name)
    with DvcRepository.init(tmp_path, no_scm=True) as repository:
        [added] = repository.add(str(code))
    assert hash_folder(Path("code")) == added.outs[0].hash_info.value
    (compiled / "notes.txt").write_text("compiled again")
    assert hash_folder(Path("code")) == added.outs[0].hash_info.value
    (code / "step.py").write_text("changed")
    assert hash_folder(Path("code")) != added.outs[0].hash_info.value


def test_a_source_elsewhere_has_dvcs_hash_with_links_and_all_that_a_data_set_holds(tmp_path, monkeypatch):
    source, project = tmp_path / "photos", tmp_path / "project"
    for file in ("a/1.png", "a/.x.part", "a/__pycache__/y.pyc", ".gitignore", ".git/config", "b c/\u732b.png"):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(file)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "2.png").write_text("two")
    (source / "linked").symlink_to(tmp_path / "store")
    (source / "a" / "3.png").symlink_to("1.png")
    project.mkdir()
    shutil.copy(ROOT / ".dvcignore", project)
    monkeypatch.chdir(project)
    with DvcRepository.init(project, no_scm=True) as repository:
        repository.run(name="collect", cmd="true", deps=[str(source)])
    [recorded] = YAML(typ="safe").load(Path("dvc.lock"))["stages"]["collect"]["deps"]
    assert hash_folder(source) == recorded["md5"]
    (source / ".gitignore").write_text("*.tmp")
    assert hash_folder(source) != recorded["md5"]


def test_a_file_that_is_gone_makes_it_stale(lock):
    Path("train.py").unlink()
    assert not is_current(lock, "evaluate@vgg", document())


def test_other_params_make_it_stale_and_those_of_another_stage_do_not(lock):
    changed = deepcopy(document())
    changed["train"]["vgg"]["dropout"] = 0.2
    assert not is_current(lock, "evaluate@vgg", changed)
    changed = deepcopy(document())
    changed["train"]["alexnet"]["dropout"] = 0.2
    assert is_current(lock, "evaluate@vgg", changed)


LOG = """Running stage 'train@vgg':
1/1 - accuracy: 0.3 - expected 3
params.yaml train.vgg.learning_rate: expected one with which the loss stays finite, got a loss of nan.
ERROR: failed to reproduce 'train@vgg': failed to run: python -m stages.train, exited with 1
ERROR: failed to reproduce 'train@vgg': failed to run: python -m stages.train, exited with 1
"""


def test_the_reason_is_the_steps_own_line_and_else_dvcs():
    assert failure_reason(LOG).startswith("params.yaml train.vgg.learning_rate: expected one with")
    assert failure_reason("ERROR: unexpected error\n") == "unexpected error"
    assert failure_reason("killed") == ""


@pytest.fixture
def repository(project, tmp_path):
    shell(tmp_path, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        shell(tmp_path, "git", "config", key, "test")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    shell(tmp_path, "git", "add", "params.yaml", "dvc.yaml")
    shell(tmp_path, "git", "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_line_is_a_plain_dvc_command(repository):
    run = Run("a-b", "vgg", {"collect.source": "/elsewhere", "train.vgg.dropout": 0.3}, "train.vgg.dropout")
    sets = ["-S", "collect.source='/elsewhere'", "-S", "train.vgg.dropout=0.3"]
    assert experiment_command(run) == ["dvc", "exp", "run", "-n", "a-b", *sets, "evaluate@vgg"]


def test_experiments_are_found_by_name_and_can_be_forgotten(repository):
    commit = shell(repository, "git", "rev-parse", "HEAD").strip()
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/a-b"
    for each in (reference, "refs/exps/stash", f"refs/exps/exec/{commit}/x"):
        shell(repository, "git", "update-ref", each, commit)
    assert references() == {"a-b": {reference: commit}}
    experiments.forget("a-b", repository)
    assert references() == {}


def test_data_that_a_clone_lacks_is_made_first(repository, monkeypatch):
    cache = repository / "cache"
    monkeypatch.setattr(experiments, "cache_folder", lambda: cache)
    assert missing_data() == []  # nothing has run, so that nothing is missing
    outs = [{"path": "data/4_split/split.csv", "md5": "abcd"}, {"path": "metrics/split.json", "md5": "ef01"}]
    YAML().dump({"schema": "2.0", "stages": {"split": {"cmd": "split", "outs": outs}}}, repository / "dvc.lock")
    assert missing_data() == ["dvc", "repro", "split"]
    (cache / "files" / "md5" / "ab").mkdir(parents=True)
    (cache / "files" / "md5" / "ab" / "cd").touch()
    assert missing_data() == []


def test_a_command_that_fails_says_why_and_leaves_a_log(project):
    script = "echo 'params.yaml a: expected b, got c.'; echo 'ERROR: failed'; exit {}"
    log = Path("logs/name.log")
    assert execute(["sh", "-c", script.format(1)], log) == "params.yaml a: expected b, got c."
    assert execute(["sh", "-c", "exit 3"], log) == "exit status 3, see logs/name.log"
    assert execute(["sh", "-c", script.format(0)], log) == ""
    assert "expected b" in log.read_text()


IN_BACKGROUND = "signal.signal(2, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.default_int_handler)"


@pytest.mark.parametrize(("before", "sent"), [("", signal.SIGINT), (IN_BACKGROUND, signal.SIGTERM)])
def test_an_interrupt_reaches_the_command_and_waits_for_it(project, before, sent):
    tidy = "trap 'sleep 0.5; touch tidied; exit 1' INT; touch started; while true; do sleep 0.1; done"
    code = f"from stages.tracking.dvc_experiments import execute; execute(['bash', '-c', {tidy!r}], Path('log'))"
    code = f"import signal\nfrom pathlib import Path\n{before}\n{code}"
    process = subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)})
    wait_for(lambda: Path("started").exists())
    process.send_signal(sent)
    assert process.wait(30) != 0
    assert Path("tidied").exists()


def test_two_studies_do_not_run_at_once_and_what_a_killed_one_left_running_counts(repository):
    start = "print(subprocess.Popen(['sleep', '60'], close_fds=False, stdout=2).pid, flush=True)"
    code = "import os, subprocess\nfrom stages.tracking.runner import only_study\n"
    code += f"with only_study('own'):\n    {start}\n    os.kill(os.getpid(), 9)"
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match="expected no other study running"), only_study("own"):
        pass
    left = psutil.Process(int(killed.stdout))
    left.kill()
    wait_for(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE)
    with only_study("own"):
        pass
