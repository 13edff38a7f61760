"""The model card of the champion, after Mitchell et al. 2019 (https://doi.org/10.1145/3287560.3287596), as Markdown.

It reads well on a page and in a terminal.
"""

from typing import Any

from stages.report.credits import sources_of
from stages.report.limits import limits
from stages.report.model_card_tables import comparison, plain, results
from stages.report.results import Findings
from stages.report.wording import HARD, joined, percent, plural, short, span, whole
from stages.results.markdown_table import to_markdown

AUTHORS = 8  # named of each source
WRITTEN = "*Written by the pipeline (`dvc repro`): change what it is written from.*"


def write_card(findings: Findings) -> str:
    """The whole card."""
    sections = {
        "Intended use": intended_use(findings),
        "Results": results(findings),
        "Comparison": comparison(findings),
        "Limits": "\n".join(f"- **{name}.** {plain(text)}" for name, text in limits(findings)),
        "Data": data(findings),
        "Preprocessing": preprocessing(findings),
        "Training": training(findings),
        "Attribution": attribution(findings),
        "How to use it": HOW_TO_USE,
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    title = plain(f"{findings.champion.name}: {findings.question}")
    return f"# {title}\n\n{introduction(findings)}\n\n{WRITTEN}\n\n{body}\n".replace(HARD, " ")


def introduction(findings: Findings) -> str:
    """The model and its accuracy."""
    champion, metrics = findings.champion, findings.champion.metrics
    test, baseline = metrics["test"], findings.summary["baseline"]["test"]["accuracy"]
    weights = "ImageNet weights" if metrics["pretrained"] else "random weights"
    learned = f"{weights} under a head trained here" if champion.facts["backbone"] else "trained from scratch"
    return (
        f"**{plain(champion.name)}** tells {plain(joined(findings.classes))} apart: {learned}, "
        f"{short(metrics['parameters'])} parameters, {short(metrics['multiply_adds'])} multiply-adds for a picture, "
        f"{metrics['megabytes']:g} MB.\nIt is right about {percent(test['accuracy'])} of "
        f"{plural(test['count'], 'test picture')} ({span(*test['intervals']['accuracy'])} at 95 %); always naming the "
        f"largest class would be right about {percent(baseline)}."
    )


def intended_use(findings: Findings) -> str:
    """What the model is for, and what not."""
    return (
        f"To say which of {plain(joined(findings.classes))} a picture shows, where it is like those under Data and a "
        "person can look again.\nIt is not for pictures of anything else, for which it has no answer, nor for "
        "decisions about people."
    )


def data(findings: Findings) -> str:
    """Where the pictures are from, under which licences, and how many of each class there are in each split."""
    clean, split = findings.counts["clean"], findings.counts["split"]["classes"]
    sources = [[plain(one["source"]), plain(one["licence"]), whole(one["count"])] for one in sources_of(findings.kept)]
    classes = [
        [plain(name), *(whole(counts.get(name, 0)) for counts in split.values()),
         whole(sum(counts.get(name, 0) for counts in split.values()))]
        for name in findings.classes
    ]  # fmt: skip
    classes.append(["together", *(whole(sum(counts.values())) for counts in split.values()),
                    whole(sum(sum(counts.values()) for counts in split.values()))])  # fmt: skip
    rejected = joined([f"{whole(number)} {plain(reason)}" for reason, number in clean["rejected"].items()])
    return "\n\n".join([
        f"Of {plural(clean['listed'], 'picture')} {whole(clean['kept'])} were kept; rejected: {rejected or 'none'}.",
        to_markdown(sources, ["source", "licence", "pictures"], "llr"),
        to_markdown(classes, ["class", *split, "together"], "l" + "r" * (len(split) + 1)),
        f"Dealt {plain(str(findings.split['ratios']))} by seed {findings.split['seed']}; look-alikes "
        + ("stay on one side." if findings.split["grouped"] else "may lie on two sides, which flatters the results."),
    ])  # fmt: skip


def preprocessing(findings: Findings) -> str:
    """How a picture becomes what the model is fed."""
    settings = findings.champion.facts["preprocessing"]
    height, width = settings["size"]
    return (
        f"Upright RGB of {height} x {width} pixels (height x width), `crop: {settings['crop']}`, values from 0 to 255; "
        f"the model scales them itself (`scaling: {findings.champion.training['scaling']}`)."
    )


def training(findings: Findings) -> str:
    """The params of the training, and the epoch that was kept."""
    champion = findings.champion
    rows = [[f"`{key}`", plain(as_yaml(value))] for key, value in champion.training.items()]
    epochs = int(champion.history["epoch"].max())
    kept = f"number {champion.kept} was kept, the best by `{champion.training['monitor']}`"
    table = to_markdown(rows, ["param", "value"], "ll")
    return f"{plural(epochs, 'epoch')}, of which {kept}.\n\n{table}{weights(champion.facts)}"


def as_yaml(value: Any) -> str:
    """The value as params.yaml has it."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return str(value)


def weights(facts: dict[str, Any]) -> str:
    """Which published weights the model builds on, where it does."""
    backbone = facts["backbone"]
    if not backbone:
        return ""
    origin = "ImageNet weights" if backbone["pretrained"] else "random weights"
    name, digest = plain(backbone["network"]), backbone["sha256"]
    return f"\n\nIts frozen part is {name} with {origin}; SHA-256 of the tensors: `{digest}`."


def attribution(findings: Findings) -> str:
    """Who made the pictures that were kept."""
    lines = []
    for one in sources_of(findings.kept):
        licence = plain(one["licence"]) + (f" (<{one['licence_url']}>)" if one["licence_url"] else "")
        named, others = one["authors"][:AUTHORS], len(one["authors"]) - AUTHORS
        rest = [f"{others} others"] if others > 0 else []
        lines.append(f"- {plain(one['source'])}: {licence}; by {plain(joined([*named, *rest]))}.")
    return "\n".join([*lines, "", "Title, author, licence and origin of each stand in the table of collected images."])


HOW_TO_USE = """    python -m stages.predict photo.jpg                    # a table of classes and probabilities
    python -m stages.predict photo.jpg --explain looked   # and in the folder looked, which places spoke for it
    python -m stages.predict --serve                      # a page on this machine to drop pictures on"""
