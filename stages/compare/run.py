"""Compare: all networks side by side, the champion, chosen without the test images, and which really differ."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from stages.compare.choice import RULE, Choice, are_told_apart, choose, rank_networks
from stages.compare.folds import compare_folds
from stages.compare.significance import holm
from stages.core import params
from stages.core.files import read_json, replacing, write_json
from stages.core.tables import read_table
from stages.results.comparison import as_markdown
from stages.results.figures import draw_cost, draw_summary
from stages.results.grouped_accuracy import accuracy_difference

COLUMNS = ("image_id", "class", "split", "group", "predicted")  # of the predictions that are compared
DIGITS = 4


class Compare(params.Section):
    """The section `compare` of params.yaml."""

    champion: str | None


def run(settings: Compare, networks: list[str], source: Path, folds: dict[str, Path], target: Path) -> None:
    """Write `summary.json`, `summary.md`, `summary.png` and `cost.png` about the networks into the folder target.

    `folds` has the folder of each network that was cross-validated.

    Raises:
        ValueError: The evaluation of a network is missing, or `compare.champion` is none of the networks.
    """
    crossed = {name: read_json(folds[name] / "metrics.json") for name in networks if name in folds}
    values, predictions = compare_evaluations(settings, networks, source, crossed)
    for name, one in values["networks"].items():
        one["cross_validation"] = crossed.get(name, {})
    values["fold_pairs"] = compare_folds({name: folds[name] for name in networks if name in folds})
    tests = {name: table[table["split"] == "test"] for name, table in predictions.items()}
    write_json(values, target / "summary.json")
    with replacing(target / "summary.md") as unfinished:
        unfinished.write_text(as_markdown(values), encoding="utf-8")
    with replacing(target / "summary.png") as unfinished:
        draw_summary(values, tests, unfinished)
    with replacing(target / "cost.png") as unfinished:
        draw_cost(values, unfinished)


def compare_evaluations(
    settings: Compare, networks: list[str], source: Path, crossed: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Read the evaluations of the networks, and return their summary and their predictions.

    `crossed` has the metrics of each network that was cross-validated.

    Raises:
        ValueError: The evaluation of a network is missing, or `compare.champion` is none of the networks.
    """
    check_evaluations(networks, source)
    metrics = {name: read_json(source / name / "metrics.json") for name in networks}
    predictions = {name: read_table(source / name / "predictions.csv", *COLUMNS) for name in networks}
    folds = {name: one["choice"]["accuracy"] for name, one in crossed.items() if "choice" in one}
    pairs = compare_pairs(predictions)
    return summarise(metrics, pairs, choose(metrics, pairs, settings.champion, folds)), predictions


def check_evaluations(networks: list[str], source: Path) -> None:
    """Check that there is an evaluation of each network; those that an earlier choice of networks left do not count.

    Raises:
        ValueError: An evaluation is missing.
    """
    for name in networks:
        if not (source / name / "metrics.json").is_file():
            raise ValueError(f"{source}: expected evaluations of {', '.join(networks)}, got none of {name}.")


def compare_pairs(predictions: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return for validation and test, and for every two networks, how far their accuracies differ.

    `difference` is the accuracy of the first network minus that of the second, with its 95 % interval. `only_a` and
    `only_b` count the images that only one of the two networks got right. `p` is that of no difference, and below 0.05
    where the interval excludes 0. `p_holm` is `p` adjusted for the number of pairs.

    Raises:
        ValueError: The evaluations are of different images or splits.
    """
    compared = []
    for split in ("val", "test"):
        tables = {name: table[table["split"] == split] for name, table in predictions.items()}
        pairs = [compare_two(a, b, tables) | {"split": split} for a, b in combinations(tables, 2)]
        adjusted = holm([pair["p"] for pair in pairs])
        compared += [pair | {"p_holm": p} for pair, p in zip(pairs, adjusted, strict=True)]
    return compared


def compare_two(a: str, b: str, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the comparison of two networks on one split, as `compare_pairs` describes it.

    Raises:
        ValueError: The evaluations of the two networks are of different images.
    """
    facts = ["image_id", "class", "group"]
    if tables[a][facts].to_numpy().tolist() != tables[b][facts].to_numpy().tolist():
        raise ValueError(f"{a} and {b}: expected evaluations of the same images and split, got others; `dvc repro`.")
    right = {name: (tables[name]["class"] == tables[name]["predicted"]).to_numpy() for name in (a, b)}
    found = accuracy_difference(right[a], right[b], tables[a]["group"].to_numpy(dtype=str))
    only = {"only_a": int((right[a] & ~right[b]).sum()), "only_b": int((right[b] & ~right[a]).sum())}
    return {"a": a, "b": b, **found.as_values(right[a].mean() - right[b].mean()), **only}


def summarise(metrics: dict[str, dict[str, Any]], pairs: list[dict[str, Any]], choice: Choice) -> dict[str, Any]:
    """Return the champion and the reason, the runner-up, the share of the largest class in test, and main numbers.

    `contenders` are the networks that validation cannot tell from the most accurate one. The runner-up is the most
    accurate other network; champion and runner-up are `distinguishable` if validation can tell them apart.
    """
    others = [name for name in rank_networks(metrics) if name != choice.champion]
    any_test = next(iter(metrics.values()))["test"]
    largest = max(one["count"] for one in any_test["classes"].values())
    return {
        "champion": choice.champion,
        "contenders": choice.contenders,
        "runner_up": others[0] if others else None,
        "distinguishable": bool(others) and are_told_apart(choice.champion, others[0], pairs),
        "rule": RULE,
        "reason": choice.reason,
        "baseline": {"test": {"accuracy": round(largest / any_test["count"], DIGITS), "count": any_test["count"]}},
        "networks": {name: comparison_row(values) for name, values in metrics.items()},
        "pairs": pairs,
    }


def comparison_row(values: dict[str, Any]) -> dict[str, Any]:
    """Return one network's accuracies with their intervals, and what the network costs."""
    accuracies = {}
    for split in ("val", "test"):
        low, high = values[split]["intervals"]["accuracy"]
        accuracies[split] = {"accuracy": values[split]["accuracy"], "low": low, "high": high}
    accuracies["test"]["macro_f1"] = values["test"]["macro_f1"]
    return accuracies | {key: values[key] for key in ("pretrained", "parameters", "multiply_adds", "megabytes")}
