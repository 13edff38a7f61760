"""The runs of a study or search on a Ray cluster: each is a task, whose experiment comes back through the remotes."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from stages.core.params import load
from stages.tracking import git as git_module
from stages.tracking import worker
from stages.tracking.dvc_experiments import DATA, LOCK, experiment_command, failure_reason, find_done, forget
from stages.tracking.dvc_lock import parse_lock, upstream
from stages.tracking.experiment_clone import Clone
from stages.tracking.git import git, last_line
from stages.tracking.places import Place
from stages.tracking.records import Record, read_record
from stages.tracking.run import Run, in_force, params_seen_by
from stages.tracking.runner import added_sources, log_of, say_if_without_data
from stages.tracking.team import Team
from stages.web.ray_cluster import connect

LOST_TWICE = "its worker was lost twice"
OWN_RESULTS = (":(exclude)metrics/studies", ":(exclude)metrics/searches")  # what the commands themselves write


class Cluster(Place):
    """The machines of a cluster, which make as many runs at once as they have processors for."""

    def __init__(self, address: str, clone: Clone, team: Team) -> None:
        """Connect to the cluster at the address, which Ray understands: `ray://<host>:10001`, `<host>:6379`, `auto`.

        Raises:
            ValueError: Ray is not installed, the address does not answer, or workers cannot get what is here.
        """
        super().__init__(clone, team)
        check_shared(clone, team)
        self.git_url, self.store = team.git_url, (team.store, team.store_url)
        name, _, rest = git("var", "GIT_COMMITTER_IDENT", folder=clone.repository).partition(" <")
        self.author = name, rest.partition(">")[0]
        self.ray = connect(address, f"--on {address}")
        for module in (worker, git_module):
            self.ray.cloudpickle.register_pickle_by_value(module)

    def make(
        self, runs: Mapping[str, Run], records: dict[str, Record], failures: dict[str, str], keep: Callable[[], object]
    ) -> None:
        """Make as many runs at once as the cluster has room for."""
        begin = self.ray.remote(worker.work)
        pending = {}
        for title, run in runs.items():
            print(f"\n{title}\n{shlex.join(experiment_command(run))}", flush=True)
            say_if_without_data(run)
            # A task whose machine is lost begins once more, on another one.
            task = begin.options(**self.needs(run), max_retries=1, retry_exceptions=False, name=run.name)
            pending[task.remote(self.task(run))] = run
        while pending:
            [done], _ = self.ray.wait(list(pending), num_returns=1)
            self.take(pending.pop(done), done, records, failures)
            keep()

    def needs(self, run: Run) -> dict[str, int]:
        """Return the processors that the run's params ask for, and the GPUs, if any machine has one.

        Raises:
            ValueError: No machine has as many: the task would wait for ever.
        """
        document = params_seen_by(run)
        cpus, gpus = (in_force(document, f"train.{run.network}.{key}") for key in ("threads", "gpus"))
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        machines = [(int(machine.get("CPU", 0)), int(machine.get("GPU", 0))) for machine in alive]
        gpus = gpus if any(has for _, has in machines) else 0
        if not any(cpus <= has_cpus and gpus <= has_gpus for has_cpus, has_gpus in machines):
            there = ", ".join(f"{has_cpus} and {has_gpus}" for has_cpus, has_gpus in sorted({*machines}))
            raise ValueError(
                f"params.yaml train.{run.network}: expected a machine of the cluster for threads {cpus} and gpus "
                f"{gpus}, got machines with {there or 'none'}."
            )
        return {"num_cpus": cpus, "num_gpus": gpus}

    def task(self, run: Run) -> worker.Task:
        """Return what a machine must know of the run."""
        lock = parse_lock(LOCK.read_text(encoding="utf-8")) if LOCK.is_file() else {}
        of_network = f"train@{run.network}"
        known = upstream(lock, of_network) or upstream(lock, DATA) or [DATA]
        stages = sorted(name for name in known if name != of_network)
        added = added_sources(str(run.changes.get("collect.source", load()["collect"]["source"])))
        return worker.Task(
            self.git_url, self.clone.commit, *self.store, stages, added, self.author, run.name, experiment_command(run)
        )

    def take(self, run: Run, done: Any, records: dict[str, Record], failures: dict[str, str]) -> None:
        """Take the run's experiment from the remotes, and add its record, or the reason of its failure."""
        try:
            report: worker.Report = self.ray.get(done)
        except self.ray.exceptions.RayError as error:
            is_lost = isinstance(error, (self.ray.exceptions.WorkerCrashedError, self.ray.exceptions.NodeDiedError))
            failures[run.name] = LOST_TWICE if is_lost else last_line(str(error))
            print(f"{run.name} failed: {failures[run.name]}", flush=True)
            return
        log = log_of(run.name, self.clone)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(report.log, encoding="utf-8")
        reason = ""
        if report.failed:
            seen = log.relative_to(self.clone.repository)
            reason = failure_reason(report.log) or f"{report.failed}, see {seen}"
        else:
            for folder in (self.clone.folder, self.clone.repository):
                forget(run.name, folder)
            self.take_up([run])
        experiment = find_done(run) if not reason else None
        if experiment:
            records[run.name] = read_record(run, experiment)
            accuracy = f"val accuracy {records[run.name].numbers['val_accuracy']:.3f}"
            spent = f"{report.seconds:.0f} s on {report.host}, {report.run_seconds:.0f} of them by `dvc exp run`"
            print(f"{run.name}: done in {spent}: {accuracy}", flush=True)
        else:
            failures[run.name] = reason or f"no experiment came back, see {log.relative_to(self.clone.repository)}"
            print(f"{run.name} failed on {report.host}: {failures[run.name]}", flush=True)


def check_shared(clone: Clone, team: Team) -> None:
    """Check that workers can get code, params and images as they are here.

    Raises:
        ValueError: Something is not committed, the commit is not pushed, or the source is known neither to Git nor DVC.
    """
    if changed := git("diff", "--name-only", clone.commit, clone.tree, "--", ".", *OWN_RESULTS).splitlines():
        raise ValueError(
            f"--on: expected all changes to be committed, because workers clone, got {len(changed)} that are not, such "
            f"as {changed[0]}."
        )
    branches = f"refs/remotes/{team.git_name}/"
    if not git("for-each-ref", "--contains", clone.commit, branches, folder=clone.repository):
        raise ValueError(f"--on: expected HEAD to be pushed, got a commit that {team.git_name} lacks: git push first.")
    if clone.sources:
        raise ValueError(
            f"{clone.sources[0]}: expected a source that Git or DVC tracks, because workers clone and pull, got one "
            "that neither knows. `dvc add` and `dvc push` share it."
        )
