"""Report: one page that needs no other file, and the champion's model card."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.core.counts import tally
from stages.core.files import replacing
from stages.report import charts, class_charts, wording
from stages.report.credits import in_order, sources_of
from stages.report.exhibits import show_answers, show_figure, show_mistakes, show_pairs
from stages.report.limits import limits
from stages.report.model_card import write_card
from stages.report.results import Findings, Sources, read_findings

TEMPLATES = Path(__file__).with_name("templates")
SPLITS = {"train": "Training", "val": "Validation", "test": "Test", "dropped": "Dropped"}
FIGURE = 1400  # pixels of the longer side of an earlier step's figure
FILTERS = ("percent", "span", "points", "decimal", "p_value", "whole", "short", "plural", "joined", "clipped")


def run(sources: Sources, split: dict[str, Any], training: dict[str, dict[str, Any]], target: Path, card: Path) -> None:
    """Nothing, after the page target and the Markdown file card are written about the networks of `training`.

    `split` is that section of params.yaml, `training` what each network was trained by.

    Raises:
        FileNotFoundError: an earlier step left nothing.
        ValueError: the comparison is of other networks.
    """
    findings = read_findings(sources, split, training)
    page, text = render(findings), write_card(findings)
    with replacing(target) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    with replacing(card) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def render(findings: Findings) -> str:
    """The page as HTML; its policy lets a browser use its own style and `data:` images, and load or run nothing."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    dealt = findings.counts["split"]["classes"]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(wording, name) for name in FILTERS}
    return environment.get_template("report.html").render(
        style=style,
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        charts=charts,
        class_charts=class_charts,
        limits=limits(findings),
        sources=sources_of(findings.kept),
        names_of_splits=SPLITS,
        dealt={name: {SPLITS[part]: by.get(name, 0) for part, by in dealt.items()} for name in findings.classes},
        wrong={name: count_wrong(network.predictions) for name, network in findings.networks.items()},
        decisions=sum(findings.counts["clean"]["decisions"].values()),
        **exhibits(findings),
        findings=findings,
    ) + "\n"  # fmt: skip


def count_wrong(answers: pd.DataFrame) -> dict[str, int]:
    """How many pictures of each class were taken for another."""
    return tally(answers.loc[answers["class"] != answers["predicted"], "class"])


def exhibits(findings: Findings) -> dict[str, Any]:
    """The pictures that are shown, each with what is said of it, and the credits of them all."""
    pairs, answers = show_pairs(findings), show_answers(findings)
    mistakes = {name: show_mistakes(network, findings) for name, network in findings.networks.items()}
    shown = [each.shown for each in answers] + [each.shown for part in mistakes.values() for each in part]
    shown += [each for _, _, part in pairs for pair in part for each in pair.shown]
    figures = {
        name: {kind: show_figure(network, kind, FIGURE) for kind in ("attention", "filters")}
        for name, network in findings.networks.items()
    }
    credits = in_order(each.credit for each in shown)
    licences = sorted({each.licence for each in credits})
    return {
        "pairs": pairs, "answers": answers, "mistakes": mistakes, "figures": figures, "credits": credits,
        "licences": licences,
    }  # fmt: skip
