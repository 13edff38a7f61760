"""The results of the champion and of the comparison, as sections of the model card."""

import re
from typing import Any

from stages.core.counts import SPLITS
from stages.report.results import Findings
from stages.report.wording import HARD, decimal, p_value, percent, points, short, span, whole
from stages.results.markdown_table import to_markdown

INTERVALS = (
    "In brackets the interval at 95 %, from draws of whole groups of look-alikes. Neither training nor the choice of "
    "the champion saw the test pictures."
)


def results(findings: Findings) -> str:
    """The champion's scores, by split and by class."""
    metrics = findings.champion.metrics
    rows = [
        [split, whole(metrics[split]["count"]), with_interval(metrics[split], "accuracy", percent),
         *(with_interval(metrics[split], name, decimal) for name in ("macro_f1", "roc_auc", "log_loss")),
         decimal(metrics[split]["calibration_error"])]
        for split in SPLITS
    ]  # fmt: skip
    header = ["split", "pictures", "accuracy", "macro F1", "ROC AUC", "log loss", "calibration error"]
    classes = [
        [plain(name), whole(one["count"]), percent(one["precision"]), percent(one["recall"]), decimal(one["f1"])]
        for name, one in metrics["test"]["classes"].items()
    ]
    by_class = to_markdown(classes, ["class, on test", "pictures", "precision", "recall", "F1"], "lrrrr")
    return f"{to_markdown(rows, header, 'lrrrrrr')}\n\n{by_class}{wanted(metrics)}\n\n{INTERVALS}"


def with_interval(scores: dict[str, Any], name: str, form: Any) -> str:
    """A score, with its interval where there is one."""
    interval = scores.get("intervals", {}).get(name)
    ends = f" ({form(interval[0]).removesuffix(f'{HARD}%')} to {form(interval[1])})" if interval else ""
    return f"{form(scores[name])}{ends}"


def wanted(metrics: dict[str, Any]) -> str:
    """What it takes for one class to be named with a wanted precision, where that was asked for."""
    asked = metrics.get("wanted")
    if not asked:
        return ""
    aim = f"\n\nFor a precision of {percent(asked['precision'])} of {plain(asked['class'])}"
    if asked["threshold"] is None:
        return f"{aim} no threshold suffices on validation."
    test = asked["test"]
    return (
        f"{aim}, chosen on validation, its probability must be at least {decimal(asked['threshold'])}: "
        f"on test {percent(test['precision'])} of {test['count']} are right, and {percent(test['recall'])} are found."
    )


def comparison(findings: Findings) -> str:
    """The networks, and how the champion differs from each other one."""
    networks = [
        [plain(name) + (" ★" if name == findings.summary["champion"] else ""), short(one["parameters"]),
         short(one["multiply_adds"]), with_ends(one["val"]), with_ends(one["test"])]
        for name, one in findings.summary["networks"].items()
    ]  # fmt: skip
    pairs = [
        [plain(f"{pair['a']} − {pair['b']}"), pair["split"], f"{points(pair['difference'])} ({points(pair['low'])} to "
         f"{points(pair['high'])})", p_value(pair["p"]), p_value(pair["p_holm"])]
        for pair in findings.summary["pairs"]
    ]  # fmt: skip
    header = ["network", "parameters", "multiply-adds", "val accuracy", "test accuracy"]
    parts = [verdict(findings), to_markdown(networks, header, "lrrrr")]
    if pairs:
        parts.append(to_markdown(pairs, ["difference in accuracy", "on", "points", "McNemar's p", "Holm's p"], "llrrr"))
    return "\n\n".join(parts)


def with_ends(accuracy: dict[str, float]) -> str:
    """An accuracy and its interval."""
    return f"{percent(accuracy['accuracy'])} ({span(accuracy['low'], accuracy['high'])})"


def verdict(findings: Findings) -> str:
    """By which rule the champion is one, and whether the data bear it out."""
    chosen = f"{plain(findings.summary['champion'])} (★) was chosen by the {plain(findings.summary['rule'])}."
    if findings.lead is None:
        return chosen
    can = "can" if findings.summary["distinguishable"] else "cannot"
    lead = findings.lead
    return (
        f"{chosen}\nThe validation pictures {can} tell it from the runner-up, {plain(lead['b'])}: "
        f"{points(lead['difference'])} points ({points(lead['low'])} to {points(lead['high'])})."
    )


# What Markdown or HTML acts on; an underscore inside a word is none of it.
ACTIVE = re.compile(r"[\\`*\[\]<>|&#~!]|(?<![^\W_])_|_(?![^\W_])")


def plain(text: str) -> str:
    """The text on one line, its markup made harmless by backslashes (https://spec.commonmark.org, section 2.4)."""
    return ACTIVE.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
