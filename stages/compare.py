"""Compare: all networks side by side, and the champion, chosen on validation."""

import argparse
from pathlib import Path
from typing import Any

from stages.core import params
from stages.core.figures import draw_summary
from stages.core.files import read_json, read_table, replacing, write_json
from stages.core.scores import interval
from stages.core.terminal import command


def run(networks: list[str], source: Path, summary: Path, report: Path, figure: Path) -> None:
    """Nothing, after the summary (JSON), the table (Markdown) and the figure (PNG) of these networks are written.

    Raises:
        ValueError: an evaluation is missing, or one is there of a network that is not among them.
    """
    check(networks, source)
    metrics = {name: read_json(source / name / "metrics.json") for name in networks}
    values = summarise(metrics)
    confusions = {name: read_table(source / name / "confusion.csv") for name in networks}
    write_json(values, summary)
    with replacing(report) as unfinished:
        unfinished.write_text(as_markdown(values, metrics), encoding="utf-8")
    with replacing(figure) as unfinished:
        draw_summary(values, confusions, unfinished)


def check(networks: list[str], source: Path) -> None:
    """Nothing, where there is an evaluation of each network and of no other.

    Raises:
        ValueError: there is not.
    """
    found = sorted(path.name for path in source.glob("[!.]*") if path.is_dir())
    for name in sorted(set(found) - set(networks)):
        raise ValueError(
            f"{source}: expected evaluations of {', '.join(networks)}, got {name}; "
            f"`rm -r {source / name}` removes what an earlier network left."
        )
    for name in networks:
        if name not in found:
            raise ValueError(f"{source}: expected evaluations of {', '.join(networks)}, got none of {name}.")


def summarise(metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The champion, the share of the largest class in test, and each network's headline numbers."""
    any_test = next(iter(metrics.values()))["test"]
    largest = max(one["count"] for one in any_test["classes"].values())
    return {
        "champion": choose(metrics),
        "baseline": {"test": {"accuracy": round(largest / any_test["count"], 4)}},
        **{name: headline(values) for name, values in metrics.items()},
    }


def choose(metrics: dict[str, dict[str, Any]]) -> str:
    """The network with the best validation accuracy; of equals by macro F1, then fewest parameters, then name."""
    return min(
        metrics,
        key=lambda name: (
            -metrics[name]["val"]["accuracy"], -metrics[name]["val"]["macro_f1"], metrics[name]["parameters"], name,
        ),
    )  # fmt: skip


def headline(values: dict[str, Any]) -> dict[str, Any]:
    """One network's accuracies, with the interval of the one on test, and what it is."""
    low, high = interval(values["test"]["accuracy"], values["test"]["count"])
    return {
        "val": {"accuracy": values["val"]["accuracy"]},
        "test": {"accuracy": values["test"]["accuracy"], "low": low, "high": high},
        "pretrained": values["pretrained"],
        "parameters": values["parameters"],
    }


def as_markdown(values: dict[str, Any], metrics: dict[str, dict[str, Any]]) -> str:
    """The summary as a table that reads well on a page and in a terminal."""
    lines = [
        "| network  | pretrained | parameters | val accuracy | test accuracy (95 %)  | test macro F1 |",
        "|:---------|:-----------|-----------:|-------------:|----------------------:|--------------:|",
    ]
    for name, one in metrics.items():
        test = values[name]["test"]
        accuracy = f"{test['accuracy']:.3f} ({test['low']:.3f}-{test['high']:.3f})"
        pretrained = "yes" if one["pretrained"] else "no"
        lines.append(
            f"| {name:<8} | {pretrained:<10} | {one['parameters']:>10,} | {one['val']['accuracy']:>12.3f} "
            f"| {accuracy:>21} | {one['test']['macro_f1']:>13.3f} |"
        )
    count = next(iter(metrics.values()))["test"]["count"]
    return "\n".join([*lines, "", *footnotes(values, count)])


def footnotes(values: dict[str, Any], count: int) -> list[str]:
    """What one must know to read the table."""
    baseline = values["baseline"]["test"]["accuracy"]
    return [
        f"Champion, chosen on validation: **{values['champion']}**. Test: {count} images; the share of the",
        f"largest class is {baseline:.3f}. The interval is Wilson's, for one training and one split.",
        "",
    ]


def main() -> None:
    """Compare the networks of params.yaml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of all evaluations")
    parser.add_argument("summary", type=Path, help="the summary to write, as JSON")
    parser.add_argument("report", type=Path, help="the table to write, as Markdown")
    parser.add_argument("figure", type=Path, help="the figure to write, as PNG")
    arguments = parser.parse_args()
    networks = list(params.find(params.load(), "networks"))
    run(networks, arguments.source, arguments.summary, arguments.report, arguments.figure)


if __name__ == "__main__":
    command(main)
