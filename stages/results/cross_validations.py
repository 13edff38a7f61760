"""What cross-validations found, as sentences and as a table."""

from typing import Any

from stages.results.interval_texts import gap, percent, point_ends, with_interval
from stages.results.markdown_table import to_markdown


def cross_validations(networks: dict[str, dict[str, Any]], pairs: list[dict[str, Any]]) -> list[str]:
    """Return a table of the networks that were cross-validated, with the sentences around it; empty without any.

    Args:
        networks: What is known of each network.
        pairs: The differences of every two networks that were cross-validated.
    """
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
            notes.append(f"Few {column}s have most of these images: the table's intervals hold for these {column}s.")
    notes += [fold_pair(pair, one) for pair in pairs]
    notes += [
        f"Twice as many images may bring {name} {gap(each['learning_curve']['twice'])}, as its learning curve goes."
        for name, each in tested.items()
        if "twice" in each.get("learning_curve", {})
    ]
    choosing = {name: each["choice"] for name, each in tested.items() if "choice" in each}
    if choosing:
        found = ", ".join(f"{name} {with_interval(each)}" for name, each in choosing.items())
        notes.append(f"Without the test images, which is what may choose the champion: {found}.")
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


def fold_pair(pair: dict[str, Any], tested: dict[str, Any]) -> str:
    """Return in a sentence how far two networks differ, in all trainings or in those that know no value of a column."""
    column = values_apart(tested).get("column", "value").replace("_", " ")
    which = "" if pair["series"] == "all" else f", no {column} known"
    return f"{pair['a']} less {pair['b']}{which}: {gap(pair)} on {pair['images']:,} images, p {pair['p']:.2g}."


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
        row.append(gap(apart))
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
        difference = f"{100 * apart['difference']:+.1f} points ({point_ends(apart)})"
        lines.append(
            f"With other images of the same {column} among those it learned from, it is right about "
            f"{percent(apart['known'])}, without about {percent(apart['unknown'])}: {difference}, on "
            f"{apart['images']:,} images."
        )
        if not apart["for_other_values"]:
            lines[-1] += f" Few {column}s have most of them: the intervals hold for these {column}s."
        lines.append(f"With no {column} known it is right about {percent(apart['all_unknown'])} of all images.")
    return lines + learned_from_fewer(values.get("learning_curve", {}))


def learned_from_fewer(curve: dict[str, Any]) -> list[str]:
    """Return in a sentence each what fewer training images cost and what twice as many may bring; empty without."""
    lines = [
        f"From {point['training_images']:,} images it learns to be right about {percent(point)}; all of them bring "
        f"{100 * point['gain']['difference']:+.1f} points ({point_ends(point['gain'])})."
        for point in curve.get("points", [])
    ]
    if twice := curve.get("twice"):
        lines.append(
            f"Twice as many images may bring {100 * twice['difference']:+.1f} points ({point_ends(twice)}), if "
            "mistakes go on to become fewer at that rate."
        )
    return lines
