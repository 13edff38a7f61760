import re

import pandas as pd
import pytest

from stages.core.files import read_json, write_json
from stages.core.tables import read_table
from stages.report.limits import list_limits
from stages.report.model_card import as_yaml, write_card
from stages.report.model_card_tables import plain
from stages.report.report_data import read_report_data
from stages.report.wording import HARD
from tests.report.report_data import SPLIT, TRAINING, training_of, write_inputs

SECTIONS = ["Intended use", "Results", "Comparison", "Limits", "Data", "Preprocessing", "Training", "Attribution",
            "How to use it"]  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_inputs(tmp_path_factory.mktemp("card") / "data")


@pytest.fixture
def data(inputs):
    return read_report_data(inputs, SPLIT, training_of())


@pytest.fixture
def card(data):
    return write_card(data)


def section(card, name):
    return card.split(f"\n## {name}\n\n")[1].split("\n\n## ")[0]


def rows(text, *first):
    """Return the other cells of each row of a table that begins with the given cells."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [row[len(first) :] for row in cells if tuple(row[: len(first)]) == first]


def test_the_card_has_these_sections_in_this_order(card):
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == SECTIONS
    assert card.startswith("# ") and card.endswith("\n") and "\u00a0" not in card


def test_results_of_every_split_are_those_of_the_evaluation(data, card):
    for split in ("val", "test"):
        scores = data.champion.metrics[split]
        low, high = scores["intervals"]["accuracy"]
        ((count, accuracy, f1, *_),) = rows(section(card, "Results"), split)
        assert count == str(scores["count"])
        assert accuracy == f"{100 * scores['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"
        assert f1.startswith(f"{scores['macro_f1']:.3f} ({scores['intervals']['macro_f1'][0]:.3f} to ")
    for name, one in data.champion.metrics["test"]["classes"].items():
        expected = [
            str(one["count"]),
            f"{100 * one['precision']:.1f} %",
            f"{100 * one['recall']:.1f} %",
            f"{one['f1']:.3f}",
        ]
        assert rows(section(card, "Results"), name) == [expected]


def test_every_network_and_pair_is_compared(data, card):
    text = section(card, "Comparison")
    summary = data.summary
    for name in summary["networks"]:
        assert len(rows(text, name + (" ★" if name == summary["champion"] else ""))) == 1
    for pair in summary["pairs"]:
        ((numbers, p, p_holm),) = rows(text, f"{pair['a']} − {pair['b']}", pair["split"])
        assert float(numbers.split(" (")[0].replace("−", "-")) == pytest.approx(100 * pair["difference"], abs=0.051)
        assert float(p.replace("< ", "")) == pytest.approx(pair["p"], abs=0.001)
        assert float(p_holm.replace("< ", "")) == pytest.approx(pair["p_holm"], abs=0.001)


def test_data_are_counted_by_source_and_by_class_and_split(inputs, card):
    text = section(card, "Data")
    assert "48 of 53 images were kept. Rejected: 3 duplicate and 2 near-duplicate." in text
    assert rows(text, "a/folder") == [["CC BY 4.0", "48"]]
    table = read_table(inputs.evaluations / "vgg" / "predictions.csv")
    counts = pd.crosstab(table["class"], table["split"])
    for name in counts.index:
        expected = [*(str(counts.loc[name, part]) for part in ("train", "val", "test")), str(counts.loc[name].sum())]
        assert rows(text, name) == [expected]
    assert rows(text, "all") == [["24", "12", "12", "48"]]


def test_training_lists_every_param_as_params_yaml_has_it(data, card):
    text = section(card, "Training")
    assert rows(text, "`learning_rate`") == [["0.001"]]
    assert rows(text, "`clip_norm`") == [[""]]
    assert text.count("\n| `") == len(TRAINING)
    assert text.startswith("The training took 4 epochs. Epoch 3 was kept, which is the best by `val_loss`.")
    assert (as_yaml(True), as_yaml(None), as_yaml(1e-05)) == ("true", "", "1e-05")


def test_a_head_that_was_fitted_at_once_has_no_epochs_and_lists_what_decided_it(inputs):
    used = {
        "class_weights": True,
        "label_smoothing": 0.0,
        "trainable_layers": 0,
        "head": "logistic",
        "weight_decay": 0.5,
    }
    params = training_of()
    params[read_json(inputs.metrics / "summary.json")["champion"]] |= used
    card = write_card(read_report_data(inputs, SPLIT, params))
    text = section(card, "Training")
    assert "fitted at once: there are no epochs" in text
    assert rows(text, "`weight_decay`") == [["0.5"]]
    assert text.count("\n| `") == len(used) + 1  # scaling
    assert "(seed 3)" not in card


def test_weights_of_others_are_named_by_their_hash(inputs):
    summary = read_json(inputs.metrics / "summary.json")
    data = read_report_data(inputs, SPLIT, training_of())
    for name, is_pretrained in (("xception", True), ("vgg", False)):
        card = write_card(vars_with(data, summary=summary | {"champion": name, "runner_up": None}))
        assert ("ab" * 32 in section(card, "Training")) == is_pretrained
        assert ("a head that was trained here on a frozen part with published weights" in card) == is_pretrained
        assert ("was trained from scratch" in card) != is_pretrained


def vars_with(data, **changed):
    """Return the data with some of its fields changed."""
    return type(data)(**{name: getattr(data, name) for name in type(data).__dataclass_fields__} | changed)


def test_tables_are_aligned_for_a_terminal(card):
    blocks = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(blocks) == 7
    for block in blocks:
        assert len({len(line) for line in block.splitlines()}) == 1


# --- limits


def limit_called(data, name):
    """Return the text of a limit, or None if the limit does not apply."""
    return dict(list_limits(data)).get(name)


def test_the_smallest_class_is_the_one_with_the_fewest_images_to_learn_from(data):
    split = {"classes": {"train": {"cat": 9, "dog": 5, "owl": 7}, "val": {}, "test": {"cat": 1, "dog": 3, "owl": 2}}}
    split |= {"groups_straddling": 0}
    changed = vars_with(data, counts=data.counts | {"split": split})
    recall = data.champion.metrics["test"]["classes"]["dog"]["recall"]
    expected = "The class dog has the fewest images: 5 for training and 3 for the test. Its recall of"
    assert limit_called(changed, "Smallest class").startswith(f"{expected} {100 * recall:.1f}")


def with_champion(data, **changed):
    champion = data.champion
    fields = {name: getattr(champion, name) for name in type(champion).__dataclass_fields__}
    return vars_with(data, networks=data.networks | {champion.name: type(champion)(**fields | changed)})


@pytest.mark.parametrize(
    ("confidence", "accuracy", "expected"), [(0.9, 0.7, "20.0 points higher"), (0.5, 0.8, "30.0 points lower")]
)
def test_calibration_says_to_which_side_it_errs(data, confidence, accuracy, expected):
    table = pd.DataFrame({"confidence": [confidence], "accuracy": [accuracy], "count": [10.0]})
    tables, metrics = data.champion.tables | {"reliability": table}, data.champion.metrics
    metrics = metrics | {"test": metrics["test"] | {"calibration_error": 0.2, "calibration_error_by_chance": 0.1}}
    assert expected in limit_called(with_champion(data, tables=tables, metrics=metrics), "Calibration")


@pytest.mark.parametrize(("error", "is_told"), [(0.06, False), (0.061, True)])
def test_a_calibration_error_that_chance_explains_is_no_limit(data, error, is_told):
    metrics = data.champion.metrics
    changed = {"calibration_error": error, "calibration_error_by_chance": 0.06}
    changed = metrics | {"test": metrics["test"] | changed}
    assert (limit_called(with_champion(data, metrics=changed), "Calibration") is not None) == is_told


def test_the_two_most_frequent_confusions_are_named(data):
    predictions = pd.DataFrame({"class": list("aaaabbbcc"), "predicted": list("abbbbbacc")})
    changed = with_champion(data, predictions=predictions)
    expected = f"Most often, {data.champion.name} takes a for b (3 of 4) and b for a (1 of 3)."
    assert limit_called(changed, "Confusions") == expected


def test_a_network_without_mistakes_has_no_confusions(data):
    predictions = pd.DataFrame({"class": list("ab"), "predicted": list("ab")})
    assert limit_called(with_champion(data, predictions=predictions), "Confusions") is None


@pytest.mark.parametrize(("train", "is_told"), [(0.95, True), (0.84, False)])
def test_overfitting_is_told_from_a_tenth_on(data, train, is_told):
    metrics = data.champion.metrics
    changed = metrics | {"train": {"accuracy": train}, "test": metrics["test"] | {"accuracy": 0.75}}
    assert (limit_called(with_champion(data, metrics=changed), "Overfitting") is not None) == is_told


@pytest.mark.parametrize(("can_tell", "is_told"), [(True, False), (False, True)])
def test_a_champion_that_the_data_cannot_tell_is_a_limit(data, can_tell, is_told):
    changed = vars_with(data, summary=data.summary | {"distinguishable": can_tell})
    assert (limit_called(changed, "Champion") is not None) == is_told


@pytest.mark.parametrize(("groups", "is_told"), [(0, False), (2, True)])
def test_look_alikes_on_two_sides_are_a_limit(data, groups, is_told):
    split = data.counts["split"] | {"groups_straddling": groups}
    changed = vars_with(data, counts=data.counts | {"split": split})
    assert ("2 groups of look-alikes lie in several splits" in limit_called(changed, "Repetition")) == is_told


@pytest.mark.parametrize(("decisions", "is_told"), [({}, True), ({"keep": 3}, False)])
def test_labels_that_no_person_looked_at_are_a_limit(data, decisions, is_told):
    clean = data.counts["clean"] | {"decisions": decisions}
    changed = vars_with(data, counts=data.counts | {"clean": clean})
    assert (limit_called(changed, "Labels") is not None) == is_told


# --- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("a|b", r"a\|b"),
        ("[x](http://y)", r"\[x\](http://y)"),
        ("`code` *bold* ~~gone~~ # title", r"\`code\` \*bold\* \~\~gone\~\~ \# title"),
        ("two\nlines\t| end\\", r"two lines \| end\\"),
        ("&lt;", r"\&lt;"),
        ("not_asuka and _this_", r"not_asuka and \_this\_"),
        ("plain words, 1.5 (ü)", "plain words, 1.5 (ü)"),
    ],
)
def test_markup_in_names_is_shown_and_does_nothing(text, expected):
    assert plain(text) == expected


def test_who_made_published_weights_is_said(inputs, tmp_path):
    summary = read_json(inputs.metrics / "summary.json") | {"champion": "xception"}
    write_json(summary, tmp_path / "summary.json")
    data = vars_with(read_report_data(inputs, SPLIT, training_of()), summary=summary)
    assert "The frozen part is xception with published weights. weights of \\<b\\>somebody" in write_card(data)


@pytest.mark.slow
def test_hostile_names_make_no_markup_in_the_card(tmp_path):
    def change(index):
        index["author"], index["licence"] = "![x](http://evil/x.png)", "<script>alert(1)</script>"
        index["licence_url"] = ["javascript:alert(1)", "http://a/><img src=x onerror=alert(1)>"] * (len(index) // 2)
        index["source"] = "a | b\n# title"

    sources = write_inputs(tmp_path / "data", classes=["<img src=x onerror=alert(1)>", "a|b", "c"], change=change)
    card = write_card(read_report_data(sources, SPLIT, training_of()))
    assert not re.search(r"(?<!\\)<(?!https?://)", card)  # Except "< 0.001", which these data do not have.
    assert "javascript:" not in card
    assert not re.search(r"(?<!\\)!\[", card)
    assert re.findall(r"^#{1,6} .*$", card, re.MULTILINE)[1:] == [f"## {name}" for name in SECTIONS]
    for block in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_a_missing_person_and_licence_are_said_to_be_unknown(tmp_path):
    def change(index):
        index["author"] = index["licence"] = index["licence_url"] = ""

    card = write_card(read_report_data(write_inputs(tmp_path / "data", change=change), SPLIT, training_of()))
    assert "- a/folder: unknown; by unknown." in section(card, "Attribution")


def test_choosing_is_left_to_the_summary(inputs, tmp_path):
    """Check that the card names the summary's champion even if another network is better everywhere."""
    summary = read_json(inputs.metrics / "summary.json")
    worst = min(summary["networks"], key=lambda name: summary["networks"][name]["test"]["accuracy"])
    write_json(summary | {"champion": worst, "runner_up": None}, tmp_path / "summary.json")
    changed = vars_with(read_report_data(inputs, SPLIT, training_of()), summary=read_json(tmp_path / "summary.json"))
    assert write_card(changed).startswith(f"# {worst}: cat, dog or owl?")


def test_what_the_limits_of_the_answers_do_is_told(data, card):
    limits = dict(list_limits(data))
    assert f"as it does of 1.4{HARD}% of the test images (at 95 %: 0.2 to 10.9{HARD}%)" in limits["Domain"]
    assert f"hold the true one for 93.2{HARD}% of the test images" in limits["Doubt"]
    assert "on average these are 1.25 of the 3 classes." in limits["Doubt"]
    assert "- **Doubt.** The classes that the command predict calls likely hold the true one for 93.2 %" in card
