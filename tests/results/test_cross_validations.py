"""The sentences on cross-validations, with every number of theirs."""

import pytest

from stages.results.cross_validations import cross_validated, cross_validations

APART = {
    "column": "page_url", "images": 1855, "for_other_values": False, "difference": 0.144, "low": 0.103, "high": 0.185,
    "known": {"accuracy": 0.76, "low": 0.72, "high": 0.796},
    "unknown": {"accuracy": 0.615, "low": 0.568, "high": 0.661},
    "all_unknown": {"accuracy": 0.614, "low": 0.532, "high": 0.69},
}  # fmt: skip
CURVE = {
    "points": [
        {"training_images": 1146, "accuracy": 0.659, "low": 0.624, "high": 0.691,
         "gain": {"difference": 0.086, "low": 0.062, "high": 0.109}},
    ],
    "twice": {"difference": 0.032, "low": -0.01, "high": 0.05},
}  # fmt: skip
PLAIN = {
    "deals": 1, "images": 1975, "training_images": 1585, "accuracy": 0.744, "low": 0.707, "high": 0.778,
    "single_trainings": {"lowest": 0.697, "highest": 0.8, "deviation": 0.027},
}  # fmt: skip
WHOLE = PLAIN | {"deals": 5, "apart": APART, "learning_curve": CURVE}


def test_one_network_in_sentences():
    assert cross_validated("vgg", WHOLE) == [
        "vgg is right about 74.4 % (70.7 to 77.8 %) of 1,975 images, each tested 5 times by networks that had learned "
        "from about 1,585 others.",
        "Single trainings, each tested on one fold, are right about 69.7 to 80.0 %.",
        "With other images of the same page url among those it learned from, it is right about 76.0 % (72.0 to "
        "79.6 %), without about 61.5 % (56.8 to 66.1 %): +14.4 points (+10.3 to +18.5), on 1,855 images. Few page urls "
        "have most of them: the intervals hold for these page urls.",
        "With no page url known it is right about 61.4 % (53.2 to 69.0 %) of all images.",
        "From 1,146 images it learns to be right about 65.9 % (62.4 to 69.1 %); all of them bring +8.6 points "
        "(+6.2 to +10.9).",
        "Twice as many images may bring +3.2 points (-1.0 to +5.0), if mistakes go on to become fewer at that rate.",
    ]


def test_what_was_not_measured_is_not_said():
    assert cross_validated("vgg", {}) == cross_validated("vgg", {"deals": 0}) == []
    assert cross_validated("vgg", PLAIN) == [
        "vgg is right about 74.4 % (70.7 to 77.8 %) of 1,975 images, each tested once by networks that had learned "
        "from about 1,585 others.",
        "Single trainings, each tested on one fold, are right about 69.7 to 80.0 %.",
    ]


def test_an_interval_for_other_values_is_not_taken_back():
    said = cross_validated("vgg", WHOLE | {"apart": APART | {"for_other_values": True}})
    assert not any(sentence.count("Few") for sentence in said)


def test_all_networks_as_a_table():
    networks = {"vgg": {"cross_validation": WHOLE}, "alexnet": {}, "tiny": {"cross_validation": {"deals": 0}}}
    pair = {"a": "vgg", "b": "xception", "images": 1975, "p": 0.0123}
    pair |= {"difference": -0.041, "low": -0.072, "high": -0.01}
    about, table, notes = cross_validations(networks, [pair | {"series": "all"}, pair | {"series": "apart"}])
    assert about == (
        "Cross-validation of 1,975 images, each tested 5 times by networks that had learned from about 1,585:"
    )
    header, _, row = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    assert dict(zip(header, row, strict=True)) == {
        "network": "vgg",
        "accuracy": "0.744 (0.707-0.778)",
        "single trainings": "0.697-0.800",
        "page url known": "0.760 (0.720-0.796)",
        "page url unknown": "0.615 (0.568-0.661)",
        "difference": "+0.144 (+0.103 to +0.185)",
    }
    assert notes.splitlines() == [
        "A known page url has other images in training: 1,855 images were tested with and without.",
        "With no page url known vgg is right about 0.614 (0.532-0.690) of all.",
        "Few page urls have most of these images: the table's intervals hold for these page urls.",
        "vgg less xception: -0.041 (-0.072 to -0.010) on 1,975 images, p 0.012.",
        "vgg less xception, no page url known: -0.041 (-0.072 to -0.010) on 1,975 images, p 0.012.",
        "Twice as many images may bring vgg +0.032 (-0.010 to +0.050), as its learning curve goes.",
        "Trained once, so that no number shows what chance in training does: alexnet, tiny.",
    ]


@pytest.mark.parametrize("networks", [{}, {"vgg": {}}, {"vgg": {"cross_validation": {"deals": 0}}}])
def test_without_folds_there_is_no_table(networks):
    assert cross_validations(networks, []) == []
