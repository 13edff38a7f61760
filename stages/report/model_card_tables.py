"""Sections of the model card: the results of the champion, and the comparison of the networks."""

import re
from typing import Any

from stages.core.tables import SPLITS
from stages.report.report_data import ReportData
from stages.report.wording import HARD, decimal, gap_span, p_value, percent, points, reached, short, span, whole
from stages.results.markdown_table import to_markdown

INTERVALS = (
    "Brackets hold the 95 % interval, in which images of a group say less than single images. The test images were "
    "used neither for training nor for the choice of the champion."
)


def results(data: ReportData) -> str:
    """Return the champion's scores, by split and by class."""
    metrics = data.champion.metrics
    rows = [
        [split, whole(metrics[split]["count"]), with_interval(metrics[split], "accuracy", percent),
         *(with_interval(metrics[split], name, decimal)
           for name in ("macro_f1", "roc_auc", "log_loss", "calibration_error"))]
        for split in SPLITS
    ]  # fmt: skip
    header = ["split", "images", "accuracy", "macro F1", "ROC AUC", "log loss", "calibration error"]
    classes = [
        [plain(name), whole(one["count"]), percent(one["precision"]), percent(one["recall"]), decimal(one["f1"])]
        for name, one in metrics["test"]["classes"].items()
    ]
    by_class = to_markdown(classes, ["class, on test", "images", "precision", "recall", "F1"], "lrrrr")
    return f"{to_markdown(rows, header, 'lrrrrrr')}\n\n{by_class}{wanted_precision(metrics)}\n\n{INTERVALS}"


def with_interval(scores: dict[str, Any], name: str, form: Any) -> str:
    """Return a score as text, with its interval if it has one."""
    interval = scores.get("intervals", {}).get(name)
    ends = f" ({form(interval[0]).removesuffix(f'{HARD}%')} to {form(interval[1])})" if interval else ""
    return f"{form(scores[name])}{ends}"


def wanted_precision(metrics: dict[str, Any]) -> str:
    """Return the threshold for the wanted precision of one class, or "" if params.yaml asks for none."""
    asked = metrics.get("wanted")
    if not asked:
        return ""
    aim = f"\n\nWanted: a precision of {percent(asked['precision'])} for {plain(asked['class'])}."
    if asked["threshold"] is None:
        return f"{aim} No threshold reaches it on validation."
    test = asked["test"]
    return (
        f"{aim} {reached(asked)} On test, "
        f"{test['count']} images reach this probability. {percent(test['precision'])} of these images are right, and "
        f"{percent(test['recall'])} of the class are found."
    )


def comparison(data: ReportData) -> str:
    """Return the tables of all networks and of the differences between them."""
    networks = [
        [plain(name) + (" ★" if name == data.summary["champion"] else ""), short(one["parameters"]),
         short(one["multiply_adds"]), with_ends(one["val"]), with_ends(one["test"])]
        for name, one in data.summary["networks"].items()
    ]  # fmt: skip
    pairs = [
        [plain(f"{pair['a']} − {pair['b']}"), pair["split"],
         f"{points(pair['difference'])} ({gap_span(pair['low'], pair['high'])})",
         p_value(pair["p"]), p_value(pair["p_holm"])]
        for pair in data.summary["pairs"]
    ]  # fmt: skip
    header = ["network", "parameters", "multiply-adds", "val accuracy", "test accuracy"]
    parts = [choice_of_champion(data), to_markdown(networks, header, "lrrrr")]
    if pairs:
        parts.append(to_markdown(pairs, ["difference in accuracy", "on", "points", "p", "Holm's p"], "llrrr"))
    return "\n\n".join(parts)


def with_ends(accuracy: dict[str, float]) -> str:
    """Return an accuracy and its interval as text."""
    return f"{percent(accuracy['accuracy'])} ({span(accuracy['low'], accuracy['high'])})"


def choice_of_champion(data: ReportData) -> str:
    """Return the rule that chose the champion, and whether the data can tell it from the runner-up."""
    name, reason = plain(data.summary["champion"]), plain(data.summary["reason"])
    rule = f"The rule, unless `compare.champion` names one: {plain(data.summary['rule'])}."
    chosen = f"{name} (★) is the champion, because {reason}. {rule}"
    if data.lead is None:
        return chosen
    can = "can" if data.summary["distinguishable"] else "cannot"
    lead = data.lead
    return (
        f"{chosen}\nThe validation images {can} tell it from the runner-up, {plain(lead['b'])}: "
        f"{points(lead['difference'])} points ({gap_span(lead['low'], lead['high'])})."
    )


# Characters that are markup in Markdown or HTML; an underscore inside a word is not markup.
ACTIVE = re.compile(r"[\\`*\[\]<>|&#~!]|(?<![^\W_])_|_(?![^\W_])")


def plain(text: str) -> str:
    """Return the text on one line, with backslashes before all markup (https://spec.commonmark.org, section 2.4)."""
    return ACTIVE.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
