"""A `python` or `dvc` that is a fork behaves as one that starts from nothing."""

import signal
import subprocess

import psutil
import pytest

from tests.repositories import ENVIRONMENT, shell, warm_environment

pytestmark = pytest.mark.slow

STATE = "import os, sys; print(sys.argv, os.getcwd(), os.environ['A'], sys.path[0] in ('', os.getcwd())); sys.exit({})"


@pytest.mark.parametrize("end", ["0", "3", "'one line'"])
def test_it_sees_and_says_what_any_python_does(tmp_path, end):
    command = ["python", "-c", STATE.format(end), "x", "--y"]
    status = 0 if end == "0" else 3 if end == "3" else 1
    cold, warm = (
        shell(tmp_path, *command, expect=status, environment=each | {"A": "1"})
        for each in (ENVIRONMENT, warm_environment())
    )
    assert cold == warm


def test_dvc_says_what_it_says_when_it_starts_from_nothing(tmp_path):
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        shell(tmp_path, *command, environment=warm_environment())
    environments = (ENVIRONMENT, warm_environment())
    for command, status in ((["dvc", "status"], 0), (["dvc", "repro", "x"], 255)):
        cold, warm = (shell(tmp_path, *command, expect=status, environment=each) for each in environments)
        assert cold == warm


def start(tmp_path):
    command = ["python", "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    process = subprocess.Popen(command, cwd=tmp_path, env=warm_environment(), stdout=subprocess.PIPE, text=True)
    return process, psutil.Process(int(process.stdout.readline()))


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_reaches_it(tmp_path, sent, status):
    process, fork = start(tmp_path)
    process.send_signal(sent)
    assert process.wait(10) == status
    fork.wait(10)


def test_a_kill_ends_it(tmp_path):
    process, fork = start(tmp_path)
    process.kill()
    process.wait(10)
    psutil.wait_procs([fork], timeout=10)
    assert not fork.is_running()
