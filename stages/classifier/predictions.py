"""What a network says of files, as a table for a terminal, as JSON and as CSV."""

import csv
import io
import json
import unicodedata
from dataclasses import dataclass, field
from typing import Any

GAP = "   "


@dataclass(frozen=True)
class Answer:
    """What a network says of one file: probabilities, the highest first; or only `error`, why it says nothing."""

    file: str
    probabilities: dict[str, float] = field(default_factory=dict)
    explanation: str = ""
    error: str = ""

    @property
    def predicted(self) -> str:
        """The most probable class; empty for none."""
        return next(iter(self.probabilities), "")


def as_json(answers: list[Answer], model: dict[str, str]) -> str:
    """An array with an object for each file: `file` and `error`, or `file`, what is predicted, and by which model."""
    return json.dumps([describe(answer, model) for answer in answers], indent=2)


def describe(answer: Answer, model: dict[str, str]) -> dict[str, Any]:
    """An answer as values for JSON."""
    if answer.error:
        return {"file": answer.file, "error": answer.error}
    said = {"file": answer.file, "predicted": answer.predicted, "probabilities": answer.probabilities}
    return said | ({"explanation": answer.explanation} if answer.explanation else {}) | model


def as_csv(answers: list[Answer], model: dict[str, str], classes: list[str]) -> str:
    """A row for each file, in columns named as in `predictions.csv`; what there is not leaves its cell empty."""
    stream = io.StringIO()
    columns = ["file", "predicted", *(f"p_{name}" for name in classes), "explanation", *model, "error"]
    table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    table.writeheader()
    for answer in answers:
        told = describe(answer, model)
        told |= {f"p_{name}": probability for name, probability in told.pop("probabilities", {}).items()}
        table.writerow(told)
    # A file's name may hold bytes that are no UTF-8.
    return stream.getvalue().encode("utf-8", "backslashreplace").decode()


def as_table(answers: list[Answer], network: str) -> str:
    """A line for each file, in columns: the most probable class and its probability, then the others."""
    rows = [cells(answer) for answer in answers]
    rows.insert(0, ("file", f"{network} says", "", "then" if any(row[3] for row in rows) else ""))
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = (GAP.join(map(pad, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def pad(text: str, columns: int) -> str:
    """The text with blanks up to so many columns."""
    return text + " " * (columns - width(text))


def cells(answer: Answer) -> tuple[str, str, str, str]:
    """An answer as the four cells of a line."""
    file = printable(answer.file)
    if answer.error:
        return (file, "failed", "", printable(answer.error))
    (first, highest), *others = answer.probabilities.items()
    rest = ", ".join(f"{printable(name)} {percent(probability)}" for name, probability in others)
    return (file, printable(first), f"{percent(highest):>6}", rest)


def percent(probability: float) -> str:
    """A probability in percent with one digit after the point."""
    return f"{probability:.1%}"


def printable(text: str) -> str:
    """The text with nothing in it that moves a terminal's cursor, changes its colours or cannot be encoded."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def width(text: str) -> int:
    """How many columns of a terminal the text takes: Chinese and Japanese characters two, accents none."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) > 0 for each in text)
