"""Search: find params with which a network does best on validation, within a budget; each trial a DVC experiment."""

import json
import time
from hashlib import sha256
from pathlib import Path

from stages.core.files import read_json, write_json
from stages.core.params import load
from stages.core.tables import read_table
from stages.models import module_of
from stages.search.page import run_name, write_results
from stages.search.space import Space
from stages.search.trials import DONE, FAILED, PRUNED, Trial, is_below, least_accuracies, suggest
from stages.tracking.dvc_experiments import find_done
from stages.tracking.places import HERE, Place, Where, place_of_runs
from stages.tracking.records import Record, read_record
from stages.tracking.run import Run, Value, in_force, params_seen_by

TARGET = Path("metrics/searches")


def run(
    name: str, network: str, space: Space, count: int, minutes: float, seed: int, folder: Path, where: Where = HERE
) -> list[Trial]:
    """Run trials until there are `count`, write their results into the folder, and return them.

    Trials that the folder already holds are not repeated, not even the failed ones.

    Raises:
        ValueError: The folder holds a search of other params, or trials whose experiments are gone or out of date; a
            study is running; or not all experiments are pushed.
    """
    keep_to_one_search(describe_search(network, space, seed), folder)
    start = time.monotonic()
    results = folder.absolute()
    source = str(space.fixed.get("collect.source", load()["collect"]["source"]))
    with place_of_runs(source, where) as place:
        trials = restore(name, network, space, seed, results, place)
        while len(trials) < count:
            if time.monotonic() - start > 60 * minutes:
                print(f"--minutes {minutes:g}: the time is over after {len(trials)} of {count} trials.", flush=True)
                break
            made, least = prepare_trial(name, network, space, trials, seed)
            title = f"trial {len(trials) + 1} of {count}"
            place.take_up([made])
            trial = read_trial(made, space, least)
            place.push([made])
            trials.append(trial or carry_out(title, made, place, space, least))
            write_results(name, network, trials, results)
    if trials:
        print(f"\n{write_results(name, network, trials, folder)}\n{folder}/README.md has this page with its figure.")
    place.check_pushed()
    return trials


def restore(name: str, network: str, space: Space, seed: int, folder: Path, place: Place) -> list[Trial]:
    """Read the trials of the folder's table from their experiments.

    Raises:
        ValueError: A trial has no experiment that is up to date.
    """
    path = folder / "trials.csv"
    rows = read_table(path).to_dict("records") if path.is_file() else []
    trials: list[Trial] = []
    runs = []
    for row in rows:
        made, least = prepare_trial(name, network, space, trials, seed)
        if row["status"] == FAILED:  # also if it is done elsewhere, because the trials after it were suggested so
            trials.append(Trial(varied_values(made, space), FAILED, reason=row["reason"]))
            print(f"done already: {made.name}", flush=True)
            continue
        place.take_up([made])
        trial = read_trial(made, space, least)
        if not trial:
            raise ValueError(
                f"{path}: expected an experiment of today's code and data for each trial, got none for {made.name}; "
                "give a new search a --name of its own."
            )
        trials.append(trial)
        runs.append(made)
    place.push(runs)
    return trials


def read_trial(made: Run, space: Space, least: dict[int, float]) -> Trial | None:
    """Return the trial of a run whose experiment is done; None if it is not."""
    experiment = find_done(made)
    if not experiment:
        return None
    print(f"done already: {made.name}", flush=True)
    return as_trial(varied_values(made, space), read_record(made, experiment), least)


def varied_values(made: Run, space: Space) -> dict[str, Value]:
    """Return the values of the varied params in a trial's run."""
    return {key: made.changes[key] for key in space.varied}


def describe_search(network: str, space: Space, seed: int) -> dict[str, object]:
    """Return what all trials of a search share: network, seed, space, and a hash of the other params."""
    varied = {key: repr(distribution) for key, distribution in space.varied.items()}
    return {"network": network, "seed": seed, "varied": varied, "fixed": space.fixed, "params": hash_params(space)}


def hash_params(space: Space) -> str:
    """Return eight digits that identify all of params.yaml except the varied params; they include other networks."""
    run = Run("", "", {**space.fixed, **dict.fromkeys(space.varied)}, "")
    return sha256(json.dumps(params_seen_by(run), sort_keys=True).encode()).hexdigest()[:8]


def keep_to_one_search(description: dict[str, object], folder: Path) -> None:
    """Write the search's description into the folder, and check that the folder holds no other search.

    Raises:
        ValueError: The folder holds another search.
    """
    path = folder / "search.json"
    if path.is_file() and read_json(path) != description:
        raise ValueError(
            f"{path}: expected the search that it describes, got another: give this one a --name of its own."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(description, path)


def row_of(network: str) -> dict[str, Value]:
    """Return the row of a network that is not among `networks`: one without a file is fed activations."""
    module = module_of(network)
    fed = "data/3_pixels" if module == network else f"data/5_features/{network}"
    return {f"networks.{network}.module": module, f"networks.{network}.input": fed}


def prepare_trial(
    name: str, network: str, space: Space, before: list[Trial], seed: int
) -> tuple[Run, dict[int, float]]:  # fmt: skip
    """Return the next trial as a run, and by epoch the accuracies below which its training stops early."""
    document = load()
    changes: dict[str, Value] = {"collect.source": document["collect"]["source"], **space.fixed}
    if network not in document["networks"]:
        changes = row_of(network) | changes
    is_fed_activations = str(changes.get(f"networks.{network}.input", "")).startswith("data/5_features/")
    if is_fed_activations and network not in document["backbones"]:
        changes.setdefault(f"backbones.{network}.pixels", "data/3_pixels")
    changes |= suggest(space.varied, before, seed)
    epochs = f"train.{network}.epochs"
    least = least_accuracies(before, int(changes.get(epochs, in_force(document, epochs))))
    changes[f"train.{network}.prune_epochs"] = list(least)
    changes[f"train.{network}.prune_accuracies"] = list(least.values())
    return Run(run_name(name, len(before) + 1), network, changes, ""), least


def carry_out(title: str, made: Run, place: Place, space: Space, least: dict[int, float]) -> Trial:
    """Make the trial's experiment, and return the trial, done, stopped early or failed."""
    records: dict[str, Record] = {}
    failures: dict[str, str] = {}
    place.make({title: made}, records, failures, keep=lambda: None)
    if made.name in records:
        return as_trial(varied_values(made, space), records[made.name], least)
    return Trial(varied_values(made, space), FAILED, reason=failures[made.name])


def as_trial(values: dict[str, Value], record: Record, least: dict[int, float]) -> Trial:
    """Return the trial of a finished run: done, or stopped early."""
    accuracies = record.curve["val_accuracy"].astype(float).tolist()
    status = PRUNED if is_below(accuracies, least) else DONE
    return Trial(values, status, float(record.numbers["val_accuracy"]), accuracies)
