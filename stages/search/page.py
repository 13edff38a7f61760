"""A search's results: a table of its trials, a figure, and a page for people."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.core.files import replacing, write_table
from stages.results.figures import ACCENT, DARK, DPI, METADATA, PALE
from stages.results.markdown_table import to_markdown
from stages.search.trials import DONE, FAILED, PRUNED, Trial
from stages.tracking.records import as_text

FLATTERED = (
    "The best of many trials on the same validation images is flattered by their choice. What it is worth, test tells "
    "once it is applied; no trial's test result was looked at."
)


def run_name(search: str, number: int) -> str:
    """The experiment's name of a trial, counted from 1."""
    return f"search-{search}-t{number:03d}"


def write_results(name: str, network: str, trials: Sequence[Trial], folder: Path) -> str:
    """The page, after the folder holds it with table and figure."""
    folder.mkdir(parents=True, exist_ok=True)
    table = as_table(name, trials)
    with replacing(folder / "trials.csv") as unfinished:
        write_table(table, unfinished)
    draw(trials, folder / "trials.png")
    page = as_markdown(name, network, table)
    with replacing(folder / "README.md") as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return page


def as_table(name: str, trials: Sequence[Trial]) -> pd.DataFrame:
    """A row for each trial, in order."""
    rows = [
        {
            "run": run_name(name, number), "status": trial.status,
            "val_accuracy": f"{trial.val_accuracy:.4f}" if trial.status != FAILED else "",
            "epochs": len(trial.accuracies) or "", **{key: as_text(value) for key, value in trial.values.items()},
            "reason": trial.reason,
        }
        for number, trial in enumerate(trials, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, dtype=object)


def as_markdown(name: str, network: str, table: pd.DataFrame) -> str:
    """The trials with the best first, those stopped early and failed ones last, and how to go on with the best."""
    order = {DONE: 0, PRUNED: 1}
    ranks = table["status"].map(order).fillna(2)
    scores = pd.to_numeric(table["val_accuracy"]).fillna(0)
    sorted_table = table.assign(rank=ranks, score=-scores).sort_values(["rank", "score"], kind="stable")
    counts = table["status"].value_counts()
    told = ", ".join(f"{counts[status]} {status}" for status in counts.index)
    rows = sorted_table.drop(columns=["rank", "score", "reason"])
    parts = [
        f"# Search {name}",
        f"{len(table)} trials: {told}. Pruned ones were below the median of those before after a quarter or half of "
        "the epochs.",
        to_markdown(rows.to_numpy().tolist(), list(rows.columns), "llrr" + "r" * (len(rows.columns) - 4)),
        "![Validation accuracy of each trial](trials.png)",
        FLATTERED,
    ]
    if counts.get(DONE):
        parts.append(f"To go on with the best:\n\n    dvc exp apply {sorted_table['run'].iloc[0]}")
        parts.append(
            f"`prune_epochs` and `prune_accuracies` of `train.{network}` come along; empty both for later runs."
        )
    failed = table[table["reason"] != ""]
    parts += ["\n".join(f"- {row.run}: {row.reason}" for row in failed.itertuples())] if len(failed) else []
    return "\n\n".join(parts) + "\n"


def draw(trials: Sequence[Trial], path: Path) -> None:
    """The accuracy of each trial, and the best so far, as a PNG file."""
    matplotlib.use("Agg")
    sns.set_theme(style="whitegrid", font_scale=0.9)
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    numbers = range(1, len(trials) + 1)
    finished = pd.Series([trial.val_accuracy if trial.status == DONE else 0.0 for trial in trials])
    axes.step(numbers, finished.cummax(), where="post", color=PALE, label="best so far")
    for status, color in ((DONE, DARK), (PRUNED, ACCENT)):
        shown = [(number, trial.val_accuracy) for number, trial in zip(numbers, trials, strict=True)
                 if trial.status == status]  # fmt: skip
        if shown:
            axes.plot(*zip(*shown, strict=True), "o", color=color, label=status,
                      fillstyle="full" if status == DONE else "none")  # fmt: skip
    axes.set(xlabel="trial", ylabel="accuracy", title="Validation accuracy of each trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize="small")
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=DPI, metadata=METADATA)
