"""Predictions for files, as a table for a terminal, as JSON and as CSV."""

import csv
import io
import json
import unicodedata
from dataclasses import dataclass, field
from typing import Any

GAP = "   "
NONE_OF_THESE = "none of these"


@dataclass(frozen=True)
class Prediction:
    """The probabilities of one file's classes, the highest first; or only `error`, the reason why there are none.

    `likely` are the classes that hold the true one as often as params.yaml asks, and `none_of_these` says whether the
    image is unlike all that the network learned from; they are empty and None where that is not known. `learned` says
    in words if the network learned from the image, which then shows nothing of how good it is.
    """

    file: str
    probabilities: dict[str, float] = field(default_factory=dict)
    explanation: str = ""
    error: str = ""
    learned: str = ""
    likely: list[str] = field(default_factory=list)
    none_of_these: bool | None = None

    @property
    def predicted(self) -> str:
        """The most probable class; empty where there is none."""
        return next(iter(self.probabilities), "")


def as_json(predictions: list[Prediction], model: dict[str, str]) -> str:
    """Return a JSON array with an object for each file: `file` and `error`, or `file`, the prediction and the model."""
    return json.dumps([as_values(prediction, model) for prediction in predictions], indent=2)


def as_values(prediction: Prediction, model: dict[str, str]) -> dict[str, Any]:
    """Return a prediction as values for JSON."""
    if prediction.error:
        return {"file": prediction.file, "error": prediction.error}
    values: dict[str, Any] = {"file": prediction.file, "predicted": prediction.predicted}
    values["probabilities"] = prediction.probabilities
    if prediction.none_of_these is not None:
        values |= {"none_of_these": prediction.none_of_these, "likely": prediction.likely}
    further = {"explanation": prediction.explanation, "learned": prediction.learned}
    return values | {name: text for name, text in further.items() if text} | model


def as_csv(predictions: list[Prediction], model: dict[str, str], classes: list[str]) -> str:
    """Return a CSV table with a row for each file and the columns of `predictions.csv`; a missing value is empty."""
    stream = io.StringIO()
    probabilities = [f"p_{name}" for name in classes]
    limited = ["none_of_these", "likely"]
    columns = ["file", "predicted", *probabilities, *limited, "explanation", "learned", *model, "error"]
    table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    table.writeheader()
    for prediction in predictions:
        row = as_values(prediction, model)
        row |= {f"p_{name}": probability for name, probability in row.pop("probabilities", {}).items()}
        if "likely" in row:  # as JSON, because a name may hold any letter
            row["likely"] = json.dumps(row["likely"], ensure_ascii=False)
        table.writerow(row)
    # The name of a file may hold bytes that are not UTF-8.
    return stream.getvalue().encode("utf-8", "backslashreplace").decode()


def as_table(predictions: list[Prediction], network: str) -> str:
    """Return a line for each file, in columns: the most probable class, its probability, the other classes, a note."""
    rows = [as_cells(prediction) for prediction in predictions]
    titles = ("then" if any(row[3] for row in rows) else "", "note" if any(row[4] for row in rows) else "")
    rows.insert(0, ("file", f"{network} says", "", *titles))
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = (GAP.join(map(pad, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def pad(text: str, columns: int) -> str:
    """Return the text with blanks at its end, so that it takes the given number of columns."""
    return text + " " * (columns - width(text))


def as_cells(prediction: Prediction) -> tuple[str, str, str, str, str]:
    """Return a prediction as the five cells of a line."""
    file = printable(prediction.file)
    if prediction.error:
        return (file, "failed", "", printable(prediction.error), "")
    (first, highest), *others = prediction.probabilities.items()
    if prediction.none_of_these:
        nearest = describe_classes(prediction.probabilities)
        return (file, NONE_OF_THESE, "", f"if it must be: {nearest}", printable(prediction.learned))
    notes = (printable(prediction.learned), say_likely(prediction.likely))
    note = "; ".join(filter(None, notes))
    return (file, printable(first), f"{percent(highest):>6}", describe_classes(dict(others)), note)


def describe_classes(probabilities: dict[str, float]) -> str:
    """Return classes and their probabilities as text."""
    return ", ".join(f"{printable(name)} {percent(probability)}" for name, probability in probabilities.items())


def say_likely(likely: list[str]) -> str:
    """Return in words which classes are likely beside the first; an empty text if there is none."""
    return f"it may also be {' or '.join(map(printable, likely[1:]))}" if len(likely) > 1 else ""


def percent(probability: float) -> str:
    """Return a probability in percent with one digit after the point."""
    return f"{probability:.1%}"


def printable(text: str) -> str:
    """Replace all characters that move a terminal's cursor, change its colours or cannot be encoded."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def width(text: str) -> int:
    """Return the number of terminal columns of the text: a Chinese or Japanese character takes two, an accent none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)
