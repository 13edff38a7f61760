"""A search's results: a table of its trials, a figure, and a page for readers."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.core.files import replacing
from stages.core.tables import write_table
from stages.figures.style import ACCENT, DARK, DPI, METADATA, PALE, begin_figure
from stages.results.markdown_table import to_markdown
from stages.search.trials import DONE, FAILED, PRUNED, Trial
from stages.tracking.records import as_text

FLATTERED = (
    "The best of many trials was chosen on these validation images, so that its accuracy on them is too high. Its true "
    "accuracy is the accuracy on test, once it is applied; no trial's test result was looked at."
)


def run_name(search: str, number: int) -> str:
    """Return the name of a trial's experiment; trials are counted from 1."""
    return f"search-{search}-t{number:03d}"


def write_results(name: str, network: str, trials: Sequence[Trial], folder: Path) -> str:
    """Write page, table and figure into the folder, and return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    table = as_table(name, trials)
    with replacing(folder / "trials.csv") as unfinished:
        write_table(table, unfinished)
    draw_trials(trials, folder / "trials.png")
    page = as_markdown(name, network, table)
    with replacing(folder / "README.md") as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return page


def as_table(name: str, trials: Sequence[Trial]) -> pd.DataFrame:
    """Return a row for each trial, in order."""
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
    """Return the page: the trials, best first, stopped and failed ones last, and how to continue with the best."""
    order = {DONE: 0, PRUNED: 1}
    ranks = table["status"].map(order).fillna(2)
    scores = pd.to_numeric(table["val_accuracy"]).fillna(0)
    sorted_table = table.assign(rank=ranks, score=-scores).sort_values(["rank", "score"], kind="stable")
    counts = table["status"].value_counts()
    counted = ", ".join(f"{counts[status]} {status}" for status in counts.index)
    rows = sorted_table.drop(columns=["rank", "score", "reason"])
    parts = [
        f"# Search {name}",
        f"{len(table)} trials: {counted}. Pruned trials were below the median of the trials before them after a "
        "quarter or half of the epochs.",
        to_markdown(rows.to_numpy().tolist(), list(rows.columns), "llrr" + "r" * (len(rows.columns) - 4)),
        "![Validation accuracy of each trial](trials.png)",
        FLATTERED,
    ]
    if counts.get(DONE):
        parts.append(f"To continue with the best:\n\n    dvc exp apply {sorted_table['run'].iloc[0]}")
        parts.append(
            f"It also sets `prune_epochs` and `prune_accuracies` of `train.{network}`; empty both for later runs."
        )
    failed = table[table["reason"] != ""]
    parts += ["\n".join(f"- {row.run}: {row.reason}" for row in failed.itertuples())] if len(failed) else []
    return "\n\n".join(parts) + "\n"


def draw_trials(trials: Sequence[Trial], path: Path) -> None:
    """Draw the accuracy of each trial and the best so far, as a PNG file."""
    begin_figure()
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
