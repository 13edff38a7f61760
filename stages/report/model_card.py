"""The model card of the champion, after Mitchell et al. 2019 (https://doi.org/10.1145/3287560.3287596), as Markdown.

It is easy to read on a page and in a terminal.
"""

from typing import Any

from stages.report.credits import sources_of
from stages.report.limits import list_limits
from stages.report.model_card_tables import comparison, plain, results
from stages.report.report_data import ReportData
from stages.report.wording import HARD, joined, kept_together, percent, plural, short, span, whole
from stages.results.cross_validations import cross_validated
from stages.results.markdown_table import to_markdown

AUTHORS = 8  # the most authors that the card names for each source
PARAMS_OF_LOGISTIC = ("class_weights", "label_smoothing", "scaling", "trainable_layers", "head", "weight_decay")
WRITTEN = "*The pipeline writes this file (`dvc repro`). Do not edit it: change the data or the code instead.*"


def write_card(data: ReportData) -> str:
    """Return the whole card."""
    sections = {
        "Intended use": intended_use(data),
        "Results": results(data),
        "Comparison": comparison(data),
        "Limits": "\n".join(f"- **{name}.** {plain(text)}" for name, text in list_limits(data)),
        "Data": data_section(data),
        "Preprocessing": preprocessing(data),
        "Training": training(data),
        "Attribution": attribution(data),
        "How to use it": HOW_TO_USE,
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    title = plain(f"{data.champion.name}: {data.question}")
    return f"# {title}\n\n{introduction(data)}\n\n{WRITTEN}\n\n{body}\n".replace(HARD, " ")


def introduction(data: ReportData) -> str:
    """Return an introduction to the model and its accuracy."""
    champion, metrics = data.champion, data.champion.metrics
    test, baseline = metrics["test"], data.summary["baseline"]["test"]["accuracy"]
    crossed = "".join(f"{plain(line)}\n" for line in cross_validated(champion.name, data.cross_validation))
    weights = "published weights" if metrics["pretrained"] else "random weights"
    trained = (
        f"is a head that was trained here on a frozen part with {weights}"
        if champion.facts["backbone"]
        else "was trained from scratch"
    )
    return (
        f"**{plain(champion.name)}** tells {plain(joined(data.classes))} apart. It {trained}. It has "
        f"{short(metrics['parameters'])} parameters ({metrics['megabytes']:g} MB), and needs "
        f"{short(metrics['multiply_adds'])} multiply-adds for one image.\n"
        f"{crossed}The network here, trained once, is right about {percent(test['accuracy'])} of "
        f"{plural(test['count'], 'test image')} "
        f"(at 95 %: {span(*test['intervals']['accuracy'])}). To name the largest class every time would be right about "
        f"{percent(baseline)}."
    )


def intended_use(data: ReportData) -> str:
    """Return what the model is for, and what it is not for."""
    return (
        f"The model says which of {plain(joined(data.classes))} an image shows. The image must be like the images "
        "under Data, and a person must be able to check the prediction.\n"
        "The model is not for images of anything else: it has no class for them, and refuses only those that are "
        "unlike all that it learned from. It is not for decisions about people."
    )


def data_section(data: ReportData) -> str:
    """Return the origin and licences of the images, and the count of each class in each split."""
    clean, split = data.counts["clean"], data.counts["split"]["classes"]
    sources = [[plain(one["source"]), plain(one["licence"]), whole(one["count"])] for one in sources_of(data.kept)]
    classes = [
        [plain(name), *(whole(counts.get(name, 0)) for counts in split.values()),
         whole(sum(counts.get(name, 0) for counts in split.values()))]
        for name in data.classes
    ]  # fmt: skip
    classes.append(["all", *(whole(sum(counts.values())) for counts in split.values()),
                    whole(sum(sum(counts.values()) for counts in split.values()))])  # fmt: skip
    rejected = joined([f"{whole(number)} {plain(reason)}" for reason, number in clean["rejected"].items()])
    return "\n\n".join([
        f"{whole(clean['kept'])} of {plural(clean['listed'], 'image')} were kept. Rejected: {rejected or 'none'}.",
        to_markdown(sources, ["source", "licence", "images"], "llr"),
        to_markdown(classes, ["class", *split, "all"], "l" + "r" * (len(split) + 1)),
        f"The images were split {plain(str(data.split['ratios']))} with seed {data.split['seed']}. "
        + kept_together(data.split["group_by"], str(data.split["ratios"])),
    ])  # fmt: skip


def preprocessing(data: ReportData) -> str:
    """Return how an image becomes the input of the model."""
    settings = data.champion.facts["preprocessing"]
    height, width = settings["size"]
    return (
        f"The model takes upright RGB images of {height} x {width} pixels (height x width), `crop: {settings['crop']}`,"
        f" with values from 0 to 255. It scales the values itself (`scaling: {data.champion.training['scaling']}`)."
    )


def training(data: ReportData) -> str:
    """Return the params of the training, and the epoch that was kept if there were epochs."""
    champion = data.champion
    used = champion.training
    if champion.is_fitted_at_once:
        used = {key: used[key] for key in PARAMS_OF_LOGISTIC}
        said = "The head is a logistic regression, fitted at once: there are no epochs, and nothing is drawn by chance."
    else:
        epochs = int(champion.history["epoch"].max())
        kept = f"Epoch {champion.kept} was kept, which is the best by `{used['monitor']}`"
        said = f"The training took {plural(epochs, 'epoch')}. {kept}."
    table = to_markdown([[f"`{key}`", plain(as_yaml(value))] for key, value in used.items()], ["param", "value"], "ll")
    return f"{said}\n\n{table}{published_weights(champion.facts)}"


def as_yaml(value: Any) -> str:
    """Return the value as params.yaml has it."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return str(value)


def published_weights(facts: dict[str, Any]) -> str:
    """Return which published weights the model builds on, or "" if it builds on none."""
    backbone = facts["backbone"]
    if not backbone:
        return ""
    origin = "published weights" if backbone["pretrained"] else "random weights"
    name, digest = plain(backbone["network"]), backbone["sha256"]
    hashed = "file" if backbone.get("library") == "onnx" else "tensors"
    credit = f" {plain(backbone['credit'])}." if backbone.get("credit") else ""
    return f"\n\nThe frozen part is {name} with {origin}.{credit} SHA-256 of its {hashed}: `{digest}`."


def attribution(data: ReportData) -> str:
    """Return who made the images that were kept."""
    lines = []
    for one in sources_of(data.kept):
        licence = plain(one["licence"]) + (f" (<{one['licence_url']}>)" if one["licence_url"] else "")
        named, others = one["authors"][:AUTHORS], len(one["authors"]) - AUTHORS
        rest = [f"{others} others"] if others > 0 else []
        lines.append(f"- {plain(one['source'])}: {licence}; by {plain(joined([*named, *rest]))}.")
    return "\n".join(
        [*lines, "", "The table of collected images has the title, author, licence and origin of each image."]
    )


HOW_TO_USE = """    python -m stages.predict photo.jpg                    # a table of classes and probabilities
    python -m stages.predict photo.jpg --explain looked   # also heat maps, in the folder looked
    python -m stages.predict --serve                      # a page on this machine that takes images"""
