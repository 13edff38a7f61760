"""What one should not conclude from the results, computed from them where it can be."""

from collections import Counter

from stages.report.results import Findings
from stages.report.wording import joined, percent, plural, points, span, whole

GAP = 0.1  # of accuracy between training and test, from which it is worth a sentence
UNSURE = 0.02  # by which stated probabilities may miss the share of right answers on average


def limits(findings: Findings) -> list[tuple[str, str]]:
    """A heading and a text for each limit, those that hold for these results."""
    known = (size, smallest_class, calibration, confusions, overfitting, choice, repetition, labels, domain)
    return [limit for find in known for limit in find(findings)]


def size(findings: Findings) -> list[tuple[str, str]]:
    """How far chance may have moved the accuracy."""
    test = findings.champion.metrics["test"]
    interval = span(*test["intervals"]["accuracy"])
    rests = f"The accuracy of {percent(test['accuracy'])} rests on {plural(test['count'], 'test picture')}"
    return [("Chance", f"{rests}; its 95 % interval goes from {interval}.")]


def smallest_class(findings: Findings) -> list[tuple[str, str]]:
    """What the class with the fewest pictures rests on."""
    counts = findings.counts["split"]["classes"]
    name = min(findings.classes, key=lambda each: (counts["train"].get(each, 0), each))
    recall = findings.champion.metrics["test"]["classes"][name]["recall"]
    learned, tested = counts["train"].get(name, 0), counts["test"].get(name, 0)
    few = f"Of {name} there are the fewest pictures: {whole(learned)} to learn from and {whole(tested)} to test"
    return [("Smallest class", f"{few}, on which its recall of {percent(recall)} rests.")]


def calibration(findings: Findings) -> list[tuple[str, str]]:
    """Whether stated probabilities can be taken at their word."""
    table = findings.champion.tables["reliability"]
    total = max(1.0, float(table["count"].sum()))
    excess = float(((table["confidence"] - table["accuracy"]) * table["count"]).sum()) / total
    error = findings.champion.metrics["test"]["calibration_error"]
    if error < UNSURE:
        return []
    by, lean = points(abs(excess)).lstrip("+"), "more" if excess > 0 else "less"
    text = (
        f"Stated probabilities miss the share of right answers by {points(error).lstrip('+')} points on average; on "
        f"the whole {findings.champion.name} is {by} points {lean} sure than it is right."
    )
    return [("Calibration", text)]


def confusions(findings: Findings) -> list[tuple[str, str]]:
    """The two most frequent confusions of the champion on test."""
    table = findings.champion.predictions
    wrong = Counter((a, b) for a, b in zip(table["class"], table["predicted"], strict=True) if a != b)
    totals = Counter(table["class"])
    worst = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:2]
    if not worst:
        return []
    told = [f"{true} for {other} ({count} of {totals[true]})" for (true, other), count in worst]
    return [("Confusions", f"Most often it takes {joined(told)}.")]


def overfitting(findings: Findings) -> list[tuple[str, str]]:
    """How much better the champion is on what it learned from."""
    train, test = (findings.champion.metrics[split]["accuracy"] for split in ("train", "test"))
    if train - test < GAP:
        return []
    text = f"It is right about {percent(train)} of the pictures that it learned from, and {percent(test)} of others."
    return [("Learned by heart", text)]


def choice(findings: Findings) -> list[tuple[str, str]]:
    """Whether the champion is one."""
    summary = findings.summary
    if not summary["runner_up"] or summary["distinguishable"]:
        return []
    text = f"On the validation pictures {summary['champion']} and {summary['runner_up']} cannot be told apart."
    return [("Champion", text)]


def repetition(findings: Findings) -> list[tuple[str, str]]:
    """What a single split and seed leave open."""
    text = (
        f"There is one split (seed {findings.split['seed']}) and one training of each network (seed "
        f"{findings.champion.training['seed']}): what another of either would change is not in the intervals."
    )
    leak = findings.counts["split"]["groups_straddling"]
    if leak:
        text += f" {plural(leak, 'group')} of look-alikes lie in several splits, which flatters the results."
    return [("Repetition", text)]


def labels(findings: Findings) -> list[tuple[str, str]]:
    """Whether a person has looked at the classes."""
    if findings.counts["clean"]["decisions"]:
        return []
    return [("Labels", "Classes are those of the source; no person's decision is among them.")]


def domain(findings: Findings) -> list[tuple[str, str]]:
    """What the network was never shown."""
    sources = sorted(set(findings.kept["source"]))
    origin = sources[0] if len(sources) == 1 else f"{len(sources)} sources"
    text = (
        f"It knows {joined(findings.classes)}, as {origin} shows them, and gives any other picture one of these names: "
        "a high probability does not say that the picture shows one of them."
    )
    return [("Domain", text)]
