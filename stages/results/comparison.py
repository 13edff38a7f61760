"""The comparison of networks as text that reads well on a page and in a terminal."""

from typing import Any

from stages.results.markdown_table import to_markdown


def as_markdown(values: dict[str, Any]) -> str:
    """What `compare` found, as tables and the sentences that one needs to read them."""
    parts = ["\n".join(verdict(values)), networks_table(values)]
    if values["pairs"]:
        parts += ["Differences of accuracy on the test images, first less second:", pairs_table(values["pairs"])]
    return "\n\n".join([*parts, NOTE]) + "\n"


NOTE = """Intervals are at 95 %, from draws of whole groups of look-alikes, for one training and one split.
McNemar's exact test asks whether two networks are right equally often; Holm's p allows for several pairs."""


def verdict(values: dict[str, Any]) -> list[str]:
    """The champion, whether it is one, and what guessing would reach."""
    baseline = values["baseline"]["test"]
    lines = [f"Champion, by {values['rule'].split(';')[0]}: **{values['champion']}**."]
    if values["runner_up"]:
        can = "can" if values["distinguishable"] else "cannot"
        lines.append(f"The validation images {can} tell it from the runner-up, {values['runner_up']}.")
    return [
        *lines,
        f"There are {baseline['count']} test images, of which the largest class is {baseline['accuracy']:.3f}.",
    ]


def networks_table(values: dict[str, Any]) -> str:
    """A row for each network."""
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


def with_interval(accuracy: dict[str, float]) -> str:
    """An accuracy with the ends of its interval."""
    return f"{accuracy['accuracy']:.3f} ({accuracy['low']:.3f}-{accuracy['high']:.3f})"


def pairs_table(pairs: list[dict[str, Any]]) -> str:
    """A row for each two networks, on test."""
    rows = [
        [
            f"{pair['a']} - {pair['b']}", f"{pair['difference']:+.3f} ({pair['low']:+.3f} to {pair['high']:+.3f})",
            pair["only_a"], pair["only_b"], f"{pair['p']:.2g}", f"{pair['p_holm']:.2g}",
        ]
        for pair in pairs
        if pair["split"] == "test"
    ]  # fmt: skip
    return to_markdown(rows, ["networks", "difference", "only first right", "only second", "p", "Holm's p"], "lrrrrr")
