"""Report: one page that needs no other file, and the champion's model card."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from stages.core.files import replacing
from stages.core.tables import tally
from stages.report import charts, class_charts, wording
from stages.report.credits import UNKNOWN, in_order, sources_of
from stages.report.exhibits import show_figure, show_mistakes, show_pairs, show_predictions
from stages.report.limits import list_limits
from stages.report.model_card import write_card
from stages.report.report_data import ReportData, Sources, read_report_data
from stages.results.cross_validations import cross_validated, values_apart

TEMPLATES = Path(__file__).with_name("templates")
SPLITS = {"train": "Training", "val": "Validation", "test": "Test", "dropped": "Dropped"}
FIGURE = 1400  # pixels of the longer side of a figure that an earlier step drew
FILTERS = ("percent", "span", "points", "decimal", "p_value", "whole", "short", "plural", "joined", "clipped",
           "kept_together", "gap_span", "calibrated", "reached")  # fmt: skip


def run(sources: Sources, split: dict[str, Any], training: dict[str, dict[str, Any]], target: Path, card: Path) -> None:
    """Write the page target and the model card, a Markdown file, about the networks of `training`.

    `split` is the section `split` of params.yaml. `training` holds the params of each network's training.

    Raises:
        FileNotFoundError: An earlier step wrote no result.
        ValueError: The comparison is of other networks.
    """
    data = read_report_data(sources, split, training)
    page, text = render(data), write_card(data)
    with replacing(target) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    with replacing(card) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def render(data: ReportData) -> str:
    """Return the page as HTML.

    Its content security policy allows its own style and `data:` images; a browser loads and runs nothing else.
    """
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    splits = data.counts["split"]["classes"]
    return page_template().render(
        style=style,
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        charts=charts,
        class_charts=class_charts,
        limits=list_limits(data),
        sources=sources_of(data.kept),
        names_of_splits=SPLITS,
        unknown=UNKNOWN,
        shares={name: {SPLITS[split]: by.get(name, 0) for split, by in splits.items()} for name in data.classes},
        wrong={name: count_mistakes(network.predictions) for name, network in data.networks.items()},
        decisions=sum(data.counts["clean"]["decisions"].values()),
        apart=values_apart(data.cross_validation),
        crossed_lines=cross_validated(data.champion.name, data.cross_validation),
        **show_exhibits(data),
        data=data,
    ) + "\n"  # fmt: skip


@cache
def page_template() -> Template:
    """Return the page's template, which takes longer to compile than to fill."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(wording, name) for name in FILTERS}
    return environment.get_template("report.html")


def count_mistakes(predictions: pd.DataFrame) -> dict[str, int]:
    """Return how many images of each class were taken for another class."""
    return tally(predictions.loc[predictions["class"] != predictions["predicted"], "class"])


def show_exhibits(data: ReportData) -> dict[str, Any]:
    """Return the images that the page shows, with what it says about them, and the credits of all of them."""
    pairs, predictions = show_pairs(data), show_predictions(data)
    mistakes = {name: show_mistakes(network, data) for name, network in data.networks.items()}
    shown = [one.shown for one in predictions] + [one.shown for some in mistakes.values() for one in some]
    shown += [one for _, _, some in pairs for pair in some for one in pair.shown]
    figures = {
        name: {kind: show_figure(network, kind, FIGURE) for kind in ("attention", "filters")}
        for name, network in data.networks.items()
    }
    credits = in_order(one.credit for one in shown)
    licences = sorted({credit.licence for credit in credits})
    return {
        "pairs": pairs, "predictions": predictions, "mistakes": mistakes, "figures": figures, "credits": credits,
        "licences": licences,
    }  # fmt: skip
