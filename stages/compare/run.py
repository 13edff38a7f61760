"""Compare: all networks side by side, the champion, which is chosen on validation, and which networks really differ."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from stages.compare.significance import holm, mcnemar
from stages.core import params
from stages.core.files import read_json, read_table, replacing, write_json
from stages.results.bootstrap import difference
from stages.results.comparison import as_markdown
from stages.results.figures import draw_cost, draw_summary

RULE = "best validation accuracy; of equals the best macro F1 there, then the fewest parameters, then the name"
DIGITS = 4


class Compare(params.Section):
    """The section `compare` of params.yaml."""

    draws: int = Field(ge=100)
    seed: int = Field(ge=0)


def run(settings: Compare, networks: list[str], source: Path, target: Path) -> None:
    """Write `summary.json`, `summary.md`, `summary.png` and `cost.png` about the networks into the folder target.

    Raises:
        ValueError: The evaluation of a network is missing, or there is an evaluation of a network that is not listed.
    """
    values, predictions = compare_evaluations(settings, networks, source)
    tests = {name: table[table["split"] == "test"] for name, table in predictions.items()}
    write_json(values, target / "summary.json")
    with replacing(target / "summary.md") as unfinished:
        unfinished.write_text(as_markdown(values), encoding="utf-8")
    with replacing(target / "summary.png") as unfinished:
        draw_summary(values, tests, unfinished)
    with replacing(target / "cost.png") as unfinished:
        draw_cost(values, unfinished)


def compare_evaluations(
    settings: Compare, networks: list[str], source: Path
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Read the evaluations of the networks, and return their summary and their predictions.

    Raises:
        ValueError: The evaluation of a network is missing, or there is an evaluation of a network that is not listed.
    """
    check_evaluations(networks, source)
    metrics = {name: read_json(source / name / "metrics.json") for name in networks}
    predictions = {name: read_table(source / name / "predictions.csv") for name in networks}
    return summarise(metrics, compare_pairs(predictions, settings)), predictions


def check_evaluations(networks: list[str], source: Path) -> None:
    """Check that there is an evaluation of each network and of no other network.

    Raises:
        ValueError: An evaluation is missing, or belongs to another network.
    """
    # git keeps the .gitignore of a folder that DVC has emptied.
    found = sorted(path.name for path in source.glob("[!.]*") if any(path.glob("[!.]*")))
    for name in sorted(set(found) - set(networks)):
        raise ValueError(
            f"{source}: expected evaluations of {', '.join(networks)}, got {name}; "
            f"`rm -r {source / name}` removes what an earlier network left."
        )
    for name in networks:
        if name not in found:
            raise ValueError(f"{source}: expected evaluations of {', '.join(networks)}, got none of {name}.")


def compare_pairs(predictions: dict[str, pd.DataFrame], settings: Compare) -> list[dict[str, Any]]:
    """Return for validation and test, and for every two networks, how far their accuracies differ.

    `difference` is the accuracy of the first network minus that of the second, with its 95 % interval. `only_a` and
    `only_b` count the images that only one of the two networks got right, and `p` is the result of McNemar's exact
    test on these images. `p_holm` is `p` adjusted for the number of pairs.

    Raises:
        ValueError: The evaluations are of different images or splits.
    """
    compared = []
    for split in ("val", "test"):
        tables = {name: table[table["split"] == split] for name, table in predictions.items()}
        pairs = [compare_two(a, b, tables, settings) | {"split": split} for a, b in combinations(tables, 2)]
        adjusted = holm([pair["p"] for pair in pairs])
        compared += [pair | {"p_holm": p} for pair, p in zip(pairs, adjusted, strict=True)]
    return compared


def compare_two(a: str, b: str, tables: dict[str, pd.DataFrame], settings: Compare) -> dict[str, Any]:
    """Return the comparison of two networks on one split, as `compare_pairs` describes it.

    Raises:
        ValueError: The evaluations of the two networks are of different images.
    """
    facts = ["image_id", "class", "group"]
    if tables[a][facts].to_numpy().tolist() != tables[b][facts].to_numpy().tolist():
        raise ValueError(f"{a} and {b}: expected evaluations of the same images and split, got others; `dvc repro`.")
    right = {name: (tables[name]["class"] == tables[name]["predicted"]).to_numpy() for name in (a, b)}
    low, high = difference(right[a], right[b], tables[a]["group"].to_numpy(), settings.draws, settings.seed)
    test = mcnemar(right[a], right[b])
    gap = round(float(right[a].mean() - right[b].mean()), DIGITS)
    return {"a": a, "b": b, "difference": gap, "low": low, "high": high, **test}


def summarise(metrics: dict[str, dict[str, Any]], pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the champion and the runner-up by validation, the share of the largest class in test, and main numbers.

    The champion and the runner-up are distinguishable if the interval of their difference on validation excludes 0.
    """
    champion, *others = rank_networks(metrics)
    any_test = next(iter(metrics.values()))["test"]
    largest = max(one["count"] for one in any_test["classes"].values())
    top = [pair for pair in pairs if pair["split"] == "val" and {pair["a"], pair["b"]} == {champion, *others[:1]}]
    return {
        "champion": champion,
        "runner_up": others[0] if others else None,
        "distinguishable": any(pair["low"] > 0 or pair["high"] < 0 for pair in top),
        "rule": RULE,
        "baseline": {"test": {"accuracy": round(largest / any_test["count"], DIGITS), "count": any_test["count"]}},
        "networks": {name: comparison_row(values) for name, values in metrics.items()},
        "pairs": pairs,
    }


def rank_networks(metrics: dict[str, dict[str, Any]]) -> list[str]:
    """Return the networks ordered by `RULE`, the best first."""
    return sorted(
        metrics,
        key=lambda name: (
            -metrics[name]["val"]["accuracy"], -metrics[name]["val"]["macro_f1"], metrics[name]["parameters"], name,
        ),
    )  # fmt: skip


def comparison_row(values: dict[str, Any]) -> dict[str, Any]:
    """Return one network's accuracies with their intervals, and what the network costs."""
    accuracies = {}
    for split in ("val", "test"):
        low, high = values[split]["intervals"]["accuracy"]
        accuracies[split] = {"accuracy": values[split]["accuracy"], "low": low, "high": high}
    accuracies["test"]["macro_f1"] = values["test"]["macro_f1"]
    return accuracies | {key: values[key] for key in ("pretrained", "parameters", "multiply_adds", "megabytes")}
