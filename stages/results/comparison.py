"""The comparison of networks as Markdown that is easy to read on a page and in a terminal."""

from typing import Any

from stages.results.cross_validations import cross_validations
from stages.results.interval_texts import gap, with_interval
from stages.results.markdown_table import to_markdown


def as_markdown(values: dict[str, Any]) -> str:
    """Return the summary of `compare` as Markdown: tables, and the sentences that explain them."""
    parts = [
        "\n".join(verdict(values)),
        networks_table(values),
        *cross_validations(values["networks"], values.get("fold_pairs", [])),
    ]
    if values["pairs"]:
        parts += [
            "Differences in accuracy on the test images, the first network minus the second:",
            pairs_table(values["pairs"]),
        ]
    return "\n\n".join([*parts, NOTE]) + "\n"


NOTE = """Intervals are at 95 %, in the tables for one training and one split; images of a group say less than single
images. Where the interval of a difference is wider than 1, one or two groups decide it, and it says next to nothing. p
is that of no difference, by the same reckoning. Holm's p is adjusted for several pairs."""


def verdict(values: dict[str, Any]) -> list[str]:
    """Return the champion, which networks validation cannot tell apart, and the share of the largest class."""
    baseline = values["baseline"]["test"]
    champion = f"Champion: **{values['champion']}**, because {values['reason']}."
    lines = [champion]
    if len(values["contenders"]) > 1:
        names = ", ".join(values["contenders"])
        lines = [f"The validation images cannot tell these networks apart by accuracy: {names}.", champion]
    elif values["runner_up"]:
        can = "can" if values["distinguishable"] else "cannot"
        lines.append(f"The validation images {can} tell it from the runner-up, {values['runner_up']}.")
    return [
        *lines,
        f"There are {baseline['count']} test images. The share of the largest class is {baseline['accuracy']:.3f}.",
    ]


def networks_table(values: dict[str, Any]) -> str:
    """Return a table with a row for each network."""
    rows = [
        [
            name, "yes" if one["pretrained"] else "no",
            f"{one['parameters']:,}", f"{2 * one['multiply_adds'] / 1e9:.3f}",
            with_interval(one["val"]), with_interval(one["test"]), f"{one['test']['macro_f1']:.3f}",
        ]
        for name, one in values["networks"].items()
    ]  # fmt: skip
    header = ["network", "pretrained", "parameters", "GFLOP", "val accuracy", "test accuracy", "test macro F1"]
    return to_markdown(rows, header, "llrrrrr")


def pairs_table(pairs: list[dict[str, Any]]) -> str:
    """Return a table with a row for each pair of networks, on test."""
    rows = [
        [
            f"{pair['a']} - {pair['b']}", gap(pair),
            pair["only_a"], pair["only_b"], f"{pair['p']:.2g}", f"{pair['p_holm']:.2g}",
        ]
        for pair in pairs
        if pair["split"] == "test"
    ]  # fmt: skip
    return to_markdown(rows, ["networks", "difference", "only first right", "only second", "p", "Holm's p"], "lrrrrr")
