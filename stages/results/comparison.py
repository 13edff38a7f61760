"""The comparison of networks as Markdown that is easy to read on a page and in a terminal."""

from typing import Any

from stages.results.markdown_table import to_markdown


def as_markdown(values: dict[str, Any]) -> str:
    """Return the summary of `compare` as Markdown: tables, and the sentences that explain them."""
    parts = ["\n".join(verdict(values)), networks_table(values), *cross_validations(values["networks"])]
    if values["pairs"]:
        parts += [
            "Differences in accuracy on the test images, the first network minus the second:",
            pairs_table(values["pairs"]),
        ]
    return "\n\n".join([*parts, NOTE]) + "\n"


TOO_FEW = "too few groups"  # for an interval, which is then 0 to 1, or -1 to 1
NOTE = """Intervals are at 95 %, in the tables for one training and one split; images of a group say less than single
images. p is that of no difference, by the same reckoning. Holm's p is adjusted for several pairs."""


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


def cross_validations(networks: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of the networks that were cross-validated, with the sentences around it; empty without any."""
    tested = {name: one["cross_validation"] for name, one in networks.items() if is_tested(one)}
    if not tested:
        return []
    one = next(iter(tested.values()))
    header = ["network", "accuracy", "single trainings"]
    notes = []
    if apart := values_apart(one):
        column = apart["column"].replace("_", " ")
        header += [f"{column} known", f"{column} unknown", "difference"]
        notes = [
            f"A known {column} has other images in training: {apart['images']:,} images were tested with and without."
        ]
        notes += [
            f"With no {column} known {name} is right about {with_interval(values_apart(each)['all_unknown'])} of all."
            for name, each in tested.items()
            if values_apart(each)
        ]
        if not apart["for_other_values"]:
            notes.append(f"Few {column}s have most images: the intervals hold for these {column}s.")
    once = [name for name in networks if name not in tested]
    if once:
        notes.append(f"Trained once, so that no number shows what chance in training does: {', '.join(once)}.")
    rows = [cross_validation_row(name, values) for name, values in tested.items()]
    about = (
        f"Cross-validation of {one['images']:,} images, each tested {times(one['deals'])} by networks that had learned "
        f"from about {one['training_images']:,}:"
    )
    table = to_markdown(rows, header, "l" + "r" * (len(header) - 1))
    return [about, table, *(["\n".join(notes)] if notes else [])]


def is_tested(network: dict[str, Any]) -> bool:
    """Return whether a network was cross-validated."""
    return bool(network.get("cross_validation", {}).get("deals"))


def values_apart(cross_validation: dict[str, Any]) -> dict[str, Any]:
    """Return what was found of values that a network knows and does not know; empty if nothing was."""
    found: dict[str, Any] = cross_validation.get("apart", {})
    return found if found.get("images") else {}


def times(number: int) -> str:
    """Return how often, in words."""
    return "once" if number == 1 else f"{number} times"


def cross_validation_row(name: str, values: dict[str, Any]) -> list[str]:
    """Return the row of a network in the table of cross-validations."""
    single = values["single_trainings"]
    row = [name, with_interval(values), f"{single['lowest']:.3f}-{single['highest']:.3f}"]
    if apart := values_apart(values):
        row += [with_interval(apart["known"]), with_interval(apart["unknown"])]
        row.append(f"{apart['difference']:+.3f} ({gap_ends(apart)})")
    return row


def cross_validated(name: str, values: dict[str, Any]) -> list[str]:
    """Return in a sentence each how often a network is right in its cross-validation; empty without folds."""
    if not values.get("deals"):
        return []
    single = values["single_trainings"]
    lines = [
        f"{name} is right about {percent(values)} of {values['images']:,} images, each tested {times(values['deals'])} "
        f"by networks that had learned from about {values['training_images']:,} others.",
        f"Single trainings, each tested on one fold, are right about {100 * single['lowest']:.1f} to "
        f"{100 * single['highest']:.1f} %.",
    ]
    if apart := values_apart(values):
        column = apart["column"].replace("_", " ")
        gap = f"{100 * apart['difference']:+.1f} points ({point_ends(apart)})"
        lines.append(
            f"With other images of the same {column} among those it learned from, it is right about "
            f"{percent(apart['known'])}, without about {percent(apart['unknown'])}: {gap}, on {apart['images']:,} "
            "images."
        )
        if not apart["for_other_values"]:
            lines[-1] += f" Few {column}s have most images: the intervals hold for these {column}s."
        lines.append(f"With no {column} known it is right about {percent(apart['all_unknown'])} of all images.")
    return lines


def percent(accuracy: dict[str, float]) -> str:
    """Return an accuracy with the ends of its interval in per cent."""
    ends = 100 * accuracy["low"], 100 * accuracy["high"]
    return f"{100 * accuracy['accuracy']:.1f} % ({TOO_FEW if ends == (0, 100) else '{:.1f} to {:.1f} %'.format(*ends)})"


def point_ends(pair: dict[str, Any]) -> str:
    """Return the ends of the interval of a difference in points."""
    ends = 100 * pair["low"], 100 * pair["high"]
    return TOO_FEW if ends == (-100, 100) else "{:+.1f} to {:+.1f}".format(*ends)


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


def with_interval(accuracy: dict[str, float]) -> str:
    """Return an accuracy with the ends of its interval as text."""
    ends = accuracy["low"], accuracy["high"]
    return f"{accuracy['accuracy']:.3f} ({TOO_FEW if ends == (0, 1) else '{:.3f}-{:.3f}'.format(*ends)})"


def gap_ends(pair: dict[str, Any]) -> str:
    """Return the ends of the interval of a difference as text."""
    ends = pair["low"], pair["high"]
    return TOO_FEW if ends == (-1, 1) else "{:+.3f} to {:+.3f}".format(*ends)


def pairs_table(pairs: list[dict[str, Any]]) -> str:
    """Return a table with a row for each pair of networks, on test."""
    rows = [
        [
            f"{pair['a']} - {pair['b']}", f"{pair['difference']:+.3f} ({gap_ends(pair)})",
            pair["only_a"], pair["only_b"], f"{pair['p']:.2g}", f"{pair['p_holm']:.2g}",
        ]
        for pair in pairs
        if pair["split"] == "test"
    ]  # fmt: skip
    return to_markdown(rows, ["networks", "difference", "only first right", "only second", "p", "Holm's p"], "lrrrrr")
