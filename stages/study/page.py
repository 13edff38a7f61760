"""A study's results as a page of Markdown: its sweeps, its final models, and the verdict on each finding."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from stages.results.markdown_table import to_markdown
from stages.study.findings import Setting
from stages.study.plan import Plan
from stages.study.result_tables import DONE, FAILED
from stages.study.scale import Scale
from stages.study.statistics import Evidence, accuracy_of
from stages.study.study_file import Study
from stages.study.verdicts import verdict_on
from stages.tracking.records import as_text
from stages.tracking.run import params_seen_by

SWEEP_HEADER = ["", "val accuracy", "95 %", "macro F1", "train accuracy", "lowest val loss", "at epoch", "runs"]
HOW_JUDGED = (
    "In parentheses: intervals at 95 %; with several seeds, each of which is another look, at more. Confirmed: the "
    "whole interval of the difference agrees with the finding; for the best value of a sweep, the intervals against "
    "all other values agree. Contradicted: the whole interval disagrees; for the best value of a sweep, the interval "
    "against at least one other value, widened for their number. The same: the difference, or each of them, is smaller "
    "than {margin:g} with 95 % certainty; a value does not learn if it is no better than naming the largest class, up "
    "to that margin. Other data: what the document measured on its images says nothing of these. Not distinguishable: "
    "these images cannot decide; how many could is estimated from the difference here, which may change."
)
FINAL_HEADER = ["network", "test accuracy", "95 %", "macro F1", "val accuracy", "parameters", "runs"]


def as_markdown(name: str, study: Study, scale: Scale, plan: Plan, evidence: Evidence, figures: Path) -> str:
    """Return the page, with those of the sweeps' figures that are in the folder."""
    parts = [f"# {name}", study.question, describe_scale(study, scale, plan)]
    for network, content in study.networks.items():
        for key, sweep in content.sweeps.items():
            cells = evidence.swept(network, key)
            parts += [f"## {network}: {key}", sweep_table(evidence, network, key, cells, as_text(sweep.chosen))]
            figure = figures / f"{network}-{key}.png"
            parts += [f"![Accuracy and losses of {network} by {key}]({figure.name})"] if figure.is_file() else []
    parts += ["## Final models", final_table(evidence, list(study.networks))]
    parts += ["## What the document found", *findings_table(study, evidence)]
    if study.instead:
        rows = [[substitute.stated, substitute.run, substitute.why] for substitute in study.instead]
        parts += ["## What runs instead", to_table(["stated", "run here", "why"], rows, "lll")]
    return "\n\n".join(parts) + "\n"


def describe_scale(study: Study, scale: Scale, plan: Plan) -> str:
    """Return a paragraph about the images, their size, and how long and how often the networks were trained."""
    seeds = "seed 0" if scale.seeds == 1 else f"seeds 0 to {scale.seeds - 1}"
    ways = {
        "document": "from the values that the document chose",
        "measured": "from the values that were best on validation here",
    }
    networks = []
    for network in study.networks:
        run = next(plan.runs[cell.run] for cell in plan.cells if cell.network == network)
        params = params_seen_by(run)
        train = params["train"][network]
        networks.append(f"{network} {train['epochs']} epochs at width {train['width']:g}")
    size = as_text(params["preprocess"]["size"])
    others = "".join(f"; `{key}` {as_text(value)}" for key, value in scale.params.items())
    return (
        f"After *{study.document}*. Run on `{scale.data}` at {size} pixels: {', '.join(networks)}; {seeds}{others}. "
        f"{describe_folds(scale)}Each sweep starts {ways[scale.carry]}. Intervals are of the images, whose look-alikes "
        f"count as fewer, {'and of other seeds, not of other' if scale.seeds > 1 else 'not of other seeds or'} "
        f"{'divisions into folds' if scale.folds else 'splits'}. Values are chosen on validation; test is "
        "shown for final models only."
    )


def describe_folds(scale: Scale) -> str:
    """Return a sentence about the folds; an empty text if there are none."""
    if not scale.folds:
        return ""
    return (
        f"Each setting is trained on {scale.folds} folds, the same for all that see the same images: every image "
        "validates one training of a setting and tests another, and counts once in both. Sweeps over splits train once "
        "for each value. "
    )


def sweep_table(evidence: Evidence, network: str, key: str, cells: list[Setting], chosen: str) -> str:
    """Return a row for each value: means over runs, the highest accuracy in bold, the document's choice with a ◦."""
    runs = evidence.results.runs
    rows = runs[(runs["network"] == network) & (runs["sweep"] == key)]
    scores = {cell.value: accuracy_of(evidence.right(cell)) for cell in cells}
    lines = []
    for value in dict.fromkeys(rows["value"].astype(str)):
        group, setting = rows[rows["value"] == value], Setting(network=network, sweep=key, value=value)
        marked = f"{value} ◦" if value == chosen else value
        if evidence.status(setting) != DONE:
            lines.append([marked, *[""] * 6, count_by_status(group)])
            continue
        done, right = evidence.done(setting), evidence.right(setting)
        accuracy = f"{accuracy_of(right):.3f}"
        is_best = scores[value] == max(scores.values())
        lines.append([
            marked, f"**{accuracy}**" if is_best else accuracy, "{:.3f} to {:.3f}".format(*evidence.interval(right)),
            format_mean(done, "val_macro_f1"), format_mean(done, "train_accuracy"), format_mean(done, "best_val_loss"),
            format_mean(done, "best_epoch", 0), count_by_status(group),
        ])  # fmt: skip
    return to_table([key, *SWEEP_HEADER[1:]], lines, "lrrrrrrl") + f"\n\n◦ the document's choice, {chosen}"


def final_table(evidence: Evidence, networks: list[str]) -> str:
    """Return a row for each network with all chosen values."""
    lines = []
    for network in networks:
        setting = Setting(network=network)
        if evidence.status(setting) != DONE:
            lines.append([network, *[""] * 5, evidence.status(setting)])
            continue
        done, right = evidence.done(setting), evidence.right(setting, "test")
        lines.append([
            network, f"{accuracy_of(right):.3f}", "{:.3f} to {:.3f}".format(*evidence.interval(right)),
            format_mean(done, "test_macro_f1"), f"{accuracy_of(evidence.right(setting)):.3f}",
            f"{int(done['parameters'].iloc[0]):,}", count_by_status(done),
        ])  # fmt: skip
    return to_table(FINAL_HEADER, lines, "lrrrrrl")


def findings_table(study: Study, evidence: Evidence) -> list[str]:
    """Return the table of verdicts, how they are judged, and the sentences from which the findings come."""
    rows, quotes = [], []
    for number, finding in enumerate(study.findings, 1):
        verdict = verdict_on(finding, evidence)
        rows.append([str(number), finding.claim, f"**{verdict.verdict}**", verdict.measured])
        quotes.append((finding.quote, number))
    sources = [
        f"{', '.join(str(number) for _, number in group)}. “{quote}”"
        for quote, group in groupby(quotes, key=lambda pair: pair[0])
        if quote
    ]
    table = to_table(["", "reported", "here", "measured"], rows, "rlll")
    return [table, HOW_JUDGED.format(margin=evidence.margin), "\n".join(f"- {source}" for source in sources)]


def count_by_status(rows: pd.DataFrame) -> str:
    """Return how many runs are done, failed or not run, in words."""
    counts = rows["status"].value_counts()
    parts = [f"{counts[status]} {status}" for status in counts.index.sort_values() if status != DONE]
    done = [str(counts[DONE])] if DONE in counts else []
    return ", ".join([*done, *parts])


def format_mean(rows: pd.DataFrame, column: str, digits: int = 3) -> str:
    """Return the column's mean over runs; an empty text if it has no numbers."""
    numbers = pd.to_numeric(rows[column], errors="coerce") if column in rows else pd.Series(dtype=float)
    return "" if numbers.isna().all() else f"{numbers.mean():.{digits}f}"


def to_table(header: Sequence[str], rows: Sequence[Sequence[Any]], sides: str) -> str:
    """Return a Markdown table of any text; `sides` has a letter for each column, l for left and r for right."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return to_markdown(cells, list(header), sides)


def failures_of(runs: pd.DataFrame) -> list[str]:
    """Return a line for each run that failed, with its reason."""
    failed = runs[runs["status"] == FAILED].drop_duplicates("run")
    return [f"failed: {row.run}: {row.reason}" for row in failed.itertuples()]
