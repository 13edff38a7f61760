"""The limits of the results: what a reader should not conclude, computed from the results where possible."""

from collections import Counter

from stages.report.report_data import ReportData
from stages.report.wording import joined, percent, plural, points, span, whole
from stages.results.cross_validations import values_apart

GAP = 0.1  # the difference of training and test accuracy from which the report mentions it


def list_limits(data: ReportData) -> list[tuple[str, str]]:
    """Return a heading and a text for each limit that applies to these results."""
    known = (
        chance, unknown_values, smallest_class, calibration, doubt, confusions, overfitting, choice, repetition, labels,
        domain,
    )  # fmt: skip
    return [limit for find in known for limit in find(data)]


def chance(data: ReportData) -> list[tuple[str, str]]:
    """Return how far chance may have moved the accuracy."""
    test = data.champion.metrics["test"]
    interval = span(*test["intervals"]["accuracy"])
    measured = f"The accuracy of {percent(test['accuracy'])} was measured on {plural(test['count'], 'test image')}"
    return [("Chance", f"{measured} (at 95 %: {interval}).")]


def unknown_values(data: ReportData) -> list[tuple[str, str]]:
    """Return how much the champion owes to knowing the authors, if cross-validation shows that it does."""
    apart = values_apart(data.cross_validation)
    if not apart or apart["low"] <= 0:
        return []
    column = apart["column"].replace("_", " ")
    text = (
        f"{data.champion.name} owes {points(apart['difference']).lstrip('+')} points to other images of the same "
        f"{column} among those it learned from: with them it is right about {percent(apart['known']['accuracy'])}, "
        f"without about {percent(apart['unknown']['accuracy'])}."
    )
    return [(f"New {column}s", text)]


def smallest_class(data: ReportData) -> list[tuple[str, str]]:
    """Return how many images the class with the fewest training images has."""
    counts = data.counts["split"]["classes"]
    name = min(data.classes, key=lambda candidate: (counts["train"].get(candidate, 0), candidate))
    recall = data.champion.metrics["test"]["classes"][name]["recall"]
    learned, tested = counts["train"].get(name, 0), counts["test"].get(name, 0)
    few = f"The class {name} has the fewest images: {whole(learned)} for training and {whole(tested)} for the test"
    return [("Smallest class", f"{few}. Its recall of {percent(recall)} was measured on these test images.")]


def calibration(data: ReportData) -> list[tuple[str, str]]:
    """Return how far the stated probabilities are from the share of right predictions, unless chance explains it."""
    table = data.champion.tables["reliability"]
    total = max(1.0, float(table["count"].sum()))
    excess = float(((table["confidence"] - table["accuracy"]) * table["count"]).sum()) / total
    test = data.champion.metrics["test"]
    if test["calibration_error"] <= test["calibration_error_by_chance"]:
        return []
    by, lean = points(abs(excess)).lstrip("+"), "higher" if excess > 0 else "lower"
    text = (
        f"The stated probabilities differ from the share of right predictions by about "
        f"{points(test['calibration_error']).lstrip('+')} points, which chance does not explain. Over all test images, "
        f"the mean probability that {data.champion.name} states is {by} points {lean} than that share."
    )
    return [("Calibration", text)]


def confusions(data: ReportData) -> list[tuple[str, str]]:
    """Return the two most frequent confusions of the champion on test."""
    table = data.champion.predictions
    wrong = Counter((a, b) for a, b in zip(table["class"], table["predicted"], strict=True) if a != b)
    totals = Counter(table["class"])
    worst = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:2]
    if not worst:
        return []
    named = [f"{true} for {other} ({count} of {totals[true]})" for (true, other), count in worst]
    return [("Confusions", f"Most often, {data.champion.name} takes {joined(named)}.")]


def overfitting(data: ReportData) -> list[tuple[str, str]]:
    """Return how much better the champion is on its training images."""
    train, test = (data.champion.metrics[split]["accuracy"] for split in ("train", "test"))
    if train - test < GAP:
        return []
    text = (
        f"{data.champion.name} is right about {percent(train)} of the images that it was trained on, but only about "
        f"{percent(test)} of the test images."
    )
    return [("Overfitting", text)]


def choice(data: ReportData) -> list[tuple[str, str]]:
    """Return that the champion may not be better than the runner-up, if the data cannot tell them apart."""
    summary = data.summary
    if not summary["runner_up"] or summary["distinguishable"]:
        return []
    text = f"The validation images cannot tell {summary['champion']} and {summary['runner_up']} apart."
    return [("Champion", text)]


def repetition(data: ReportData) -> list[tuple[str, str]]:
    """Return what a single split and a single seed leave open."""
    seed, change = f" (seed {data.champion.training['seed']})", "another split or seed"
    if data.champion.is_fitted_at_once:
        seed, change = "", "another split, or another seed of networks with epochs,"
    text = (
        f"What is said of validation and test rests on one split (seed {data.split['seed']}) and one training of each "
        f"network{seed}. Its intervals do not contain what {change} would change."
    )
    single = data.cross_validation.get("single_trainings")
    if single:
        text += (
            f" In the cross-validation of {data.champion.name}, single trainings are right about "
            f"{percent(single['lowest'])} to {percent(single['highest'])}."
        )
    leak = data.counts["split"]["groups_straddling"]
    if leak:
        text += (
            f" {plural(leak, 'group')} of look-alikes lie in several splits, so the results look better than they are."
        )
    return [("Repetition", text)]


def labels(data: ReportData) -> list[tuple[str, str]]:
    """Return that no person has checked the classes, if this is so."""
    if data.counts["clean"]["decisions"]:
        return []
    return [("Labels", "The classes are the classes of the source. No person has checked them.")]


def domain(data: ReportData) -> list[tuple[str, str]]:
    """Return which images the model knows."""
    sources = sorted(set(data.kept["source"]))
    origin = sources[0] if len(sources) == 1 else f"{len(sources)} sources"
    test = data.champion.metrics["test"]
    refused = f"{percent(test['refused'])} of the test images (at 95 %: {span(*test['intervals']['refused'])})"
    text = (
        f"{data.champion.name} knows only {joined(data.classes)}, as {origin} shows them. The command predict says "
        f"“none of these” where an image is unlike all that it learned from, as it does of {refused}. Any other image "
        "gets one of these names, whatever it shows, and a high probability does not mean that it shows that class."
    )
    return [("Domain", text)]


def doubt(data: ReportData) -> list[tuple[str, str]]:
    """Return how often the true class is among those that the model calls likely, and how many these are."""
    test = data.champion.metrics["test"]
    text = (
        f"The classes that the command predict calls likely hold the true one for {percent(test['covered'])} of the "
        f"test images (at 95 %: {span(*test['intervals']['covered'])}); on average these are "
        f"{test['likely_classes']:.2f} of the {len(data.classes)} classes."
    )
    return [("Doubt", text)]
