import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.core.files import read_json, write_json
from stages.core.tables import read_table
from stages.report import __main__ as report_command
from stages.report import exhibits
from stages.report import run as report
from stages.report.credits import in_order, safe_address
from stages.report.report_data import Sources, read_report_data
from stages.report.wording import clipped, joined, p_value, percent, plural, points, reached, short
from tests.report.report_data import CREDIT, CROSSED, SPLIT, training_of, write_inputs
from tests.repositories import warm_environment

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_inputs(tmp_path_factory.mktemp("report") / "data")


@pytest.fixture
def fresh(inputs, tmp_path):
    """Return a copy of the inputs that a test may change."""
    shutil.copytree(inputs.metrics.parent, tmp_path / "data")
    return Sources(**{name: tmp_path / "data" / path.name for name, path in vars(inputs).items()})


@pytest.fixture(scope="module")
def page(inputs, tmp_path_factory):
    return write(inputs, tmp_path_factory.mktemp("page"))[0]


def write(sources, folder, networks=("vgg", "xception"), training=None):
    report.run(sources, SPLIT, training or training_of(networks), folder / "report.html", folder / "model_card.md")
    return (folder / "report.html").read_text(), (folder / "model_card.md").read_text()


class Parsed(HTMLParser):
    """The elements of a page, and the text of each section."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag in ("section", "header"):
            self.open.append(attributes["id"]) if "id" in attributes else self.open.append("")

    def handle_endtag(self, tag):
        if tag in ("section", "header"):
            self.open.pop()

    def handle_data(self, data):
        for name in self.open:
            self.texts[name] = self.texts.get(name, "") + data + " "

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, section):
        return " ".join(self.texts[section].split())


# --- what it says


def test_the_answer_names_the_champion_of_the_summary_with_its_interval(inputs, page):
    summary = read_json(inputs.metrics / "summary.json")
    name = summary["champion"]
    test = read_json(inputs.evaluations / name / "metrics.json")["test"]
    answer = Parsed(page).text("answer")
    low, high = (f"{100 * end:.1f}" for end in test["intervals"]["accuracy"])
    assert f"{name} is right about {100 * test['accuracy']:.1f} % of {test['count']} test images." in answer
    assert "These images were used neither for its training nor for the choice of the champion." in answer
    assert f"{low} to {high} %" in answer
    assert f"{100 * summary['baseline']['test']['accuracy']:.1f} %" in answer


@pytest.mark.parametrize(("can_tell", "verb"), [(True, "can"), (False, "cannot")])
def test_whether_the_data_tell_champion_and_runner_up_apart_is_taken_from_the_summary(fresh, tmp_path, can_tell, verb):
    summary = read_json(fresh.metrics / "summary.json") | {"distinguishable": can_tell}
    write_json(summary, fresh.metrics / "summary.json")
    page, card = write(fresh, tmp_path)
    sentence = f"{verb} tell {summary['champion']} from the runner-up, {summary['runner_up']}"
    assert sentence in Parsed(page).text("answer")
    assert f"{verb} tell it from the runner-up, {summary['runner_up']}" in card


def test_what_cross_validation_found_comes_first_and_in_the_limits(fresh, tmp_path):
    summary = read_json(fresh.metrics / "summary.json")
    champion = summary["champion"]
    summary["networks"][champion]["cross_validation"] = CROSSED
    write_json(summary, fresh.metrics / "summary.json")
    page, card = write(fresh, tmp_path)
    sections = Parsed(page)
    answer, limits = sections.text("answer").replace("\xa0", " "), sections.text("limits").replace("\xa0", " ")
    assert (
        f"{champion} is right about 71.0 % of images that it did not learn from: so often in 20 trainings on about 24 "
        "of the 48 images, each tested on others. The network here, trained once on 24, is right about" in answer
    )
    assert "Without the same author in training 60.0 % with: 75.0 %; difference +5.0 to +24.0 points" in answer
    for text in (answer, card):
        assert f"{champion} is right about 71.0 % (65.0 to 77.0 %) of 48 images, each tested 5 times" in text
        assert (
            "From 12 images it learns to be right about 66.0 % (60.0 to 72.0 %); all of them bring +5.0 points (+2.0 "
            "to +8.0). Twice as many images may bring +4.3 points (+1.9 to +6.3), if mistakes go on to become fewer"
        ) in text.replace("\n", " ")
        assert "it is right about 75.0 % (68.0 to 81.0 %), without about 60.0 % (50.0 to 69.0 %): +15.0 points" in text
    assert f"{champion} owes 15.0 points to other images of the same author" in limits
    assert "single trainings are right about 50.0 % to 87.5 %" in limits


def test_a_summary_with_another_champion_makes_another_report(fresh, tmp_path):
    """Check that the page does not choose: it does not matter which network is best on test or anywhere else."""
    summary = read_json(fresh.metrics / "summary.json")
    champion, other = summary["champion"], summary["runner_up"]
    write_json(summary | {"champion": other, "runner_up": champion}, fresh.metrics / "summary.json")
    page, card = write(fresh, tmp_path)
    assert f"{other} is right about" in Parsed(page).text("answer")
    assert card.startswith(f"# {other}: ")


def test_the_lead_over_the_runner_up_counts_from_the_champion(fresh, tmp_path):
    summary = read_json(fresh.metrics / "summary.json")
    pair = {"a": summary["runner_up"], "b": summary["champion"], "split": "val", "difference": -0.125, "low": -0.25}
    pair |= {"high": 0.031, "only_a": 1, "only_b": 4, "p": 0.2, "p_holm": 0.2}
    write_json(summary | {"pairs": [pair]}, fresh.metrics / "summary.json")
    page, _ = write(fresh, tmp_path)
    assert "+12.5 points −3.1 to +25.0 on validation" in Parsed(page).text("answer")


def test_cleaning_accounts_for_every_listed_image(page):
    assert "53 listed = 48 kept + 3 duplicate + 2 near-duplicate" in Parsed(page).text("cleaning")


def test_sources_have_their_licence_and_count(page):
    parsed = Parsed(page)
    assert "a/folder CC BY 4.0 48 Author 0" in parsed.text("data")
    assert {"href": "https://creativecommons.org/licenses/by/4.0/", "rel": "noreferrer license"} in parsed.of("a")


def test_classes_are_counted_in_every_split(inputs, page):
    table = read_table(inputs.evaluations / "vgg" / "predictions.csv")
    for name, rows in table.groupby("class"):
        counts = rows["split"].value_counts()
        assert f"{name} {len(rows)} {len(rows)} {counts['train']} {counts['val']} {counts['test']}" in Parsed(
            page
        ).text("data")


def test_every_network_stands_in_the_table_with_both_intervals(inputs, page):
    text = Parsed(page).text("networks")
    for name, one in read_json(inputs.metrics / "summary.json")["networks"].items():
        shown = [f"{percent(one[split]['accuracy'])} {100 * one[split]['low']:.1f} to" for split in ("test", "val")]
        assert name in text
        assert all(" ".join(each.split()) in text for each in shown)


def test_every_pair_stands_in_the_comparison_with_its_p_values(inputs, page):
    text = Parsed(page).text("comparison")
    for pair in read_json(inputs.metrics / "summary.json")["pairs"]:
        assert f"{points(pair['difference'])} ({points(pair['low'])} to {points(pair['high'])})" in text
        assert f"{pair['only_a']} {pair['only_b']} {p_value(pair['p'])} {p_value(pair['p_holm'])}" in text


def test_confusions_are_counted_from_the_test_predictions(inputs, page):
    for name in ("vgg", "xception"):
        table = read_table(inputs.evaluations / name / "predictions.csv").query("split == 'test'")
        counts = pd.crosstab(table["class"], table["predicted"])
        for true in counts.index:
            for taken in counts.columns:
                title = (
                    f"<title>{true} taken for {taken}: {counts.loc[true, taken]} of {counts.loc[true].sum()}</title>"
                )
                assert title in page


def test_every_test_image_has_a_row_with_its_scores_and_verdict(inputs, page):
    name = read_json(inputs.metrics / "summary.json")["champion"]
    table = read_table(inputs.evaluations / name / "predictions.csv").query("split == 'test'")
    rows = re.findall(r"<tr>(.*?)</tr>", page.split('id="answers"')[1].split("</section>")[0], re.DOTALL)[1:]
    assert len(rows) == len(table)
    shown = {}
    for row in rows:
        cells = re.findall(r"<td.*?</td>", row, re.DOTALL)
        shares = [re.match(r'<td class="number[^"]*">([\d.]+)', cell)[1] for cell in cells[3:]]
        shown[re.search(r"#image-(\w+)", row)[1]] = (
            re.sub("<.*?>", "", cells[1]),
            re.sub("<.*?>", "", cells[2]),
            shares,
        )
    for row in table.to_dict("records"):
        verdict = "OK" if row["class"] == row["predicted"] else "NG"
        shares = [f"{100 * float(row['p_' + each]):.1f}" for each in ("cat", "dog", "owl")]
        assert shown[row["image_id"][:16]] == (row["class"], verdict, shares)


def test_a_mistake_says_what_the_image_was_taken_for(inputs, page):
    for row in json.loads((inputs.explanations / "vgg" / "mistakes.json").read_text()):
        assert f'alt="{row["class"]} taken for {row["predicted"]}: {row["title"]}, by {row["author"]}"' in page


def test_the_page_says_which_epoch_was_kept(page):
    assert Parsed(page).text("training").count("Epoch 3 was kept.") == 2


def test_the_page_says_how_well_a_head_fits_that_was_fitted_at_once(fresh, tmp_path):
    training = training_of()
    training["xception"] |= {"head": "logistic", "class_weights": True, "label_smoothing": 0.0, "trainable_layers": 0,
                             "weight_decay": 0.5}  # fmt: skip
    path = fresh.models / "xception" / "history.csv"
    history = read_table(path)
    history[history["epoch"] == "3"].assign(epoch=1).to_csv(path, index=False)
    page, _ = write(fresh, tmp_path, training=training)
    text = Parsed(page).text("training").replace("\N{NO-BREAK SPACE}", " ")
    said = (
        "The head of xception was fitted at once, without epochs: 70.0 % of the training images are right, with a loss"
    )
    assert f"{said} of 0.700, and 70.0 % of the validation images, with 0.800." in text
    assert text.count("Epoch 3 was kept.") == 1


def test_a_wanted_precision_is_told_with_its_threshold(fresh, tmp_path):
    name = read_json(fresh.metrics / "summary.json")["champion"]
    path = fresh.evaluations / name / "metrics.json"
    reached = {"precision": 0.9, "recall": 0.75, "count": 10, "low": 0.6, "high": 0.98}
    wanted = {"class": "cat", "precision": 0.95, "threshold": 0.625, "is_sure": True, "needed": 72}
    write_json(read_json(path) | {"wanted": wanted | {"val": reached, "test": reached}}, path)
    page, card = write(fresh, tmp_path)
    text = Parsed(page).text("classes")
    assert "A probability of at least 0.625 reaches it, with 95 % certainty" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "On test, 10 images reach this probability" in text
    assert "90.0 % of these images are right (60.0 to 98.0 %), and 75.0 % of the class are found." in text
    assert "at least 0.625" in card


def test_a_precision_that_no_threshold_reaches_is_told(fresh, tmp_path):
    name = read_json(fresh.metrics / "summary.json")["champion"]
    path = fresh.evaluations / name / "metrics.json"
    wanted = {"class": "cat", "precision": 0.95, "needed": 72, "threshold": None, "is_sure": False}
    write_json(read_json(path) | {"wanted": wanted}, path)
    page, card = write(fresh, tmp_path)
    assert "No threshold reaches it on validation." in Parsed(page).text("classes")
    assert "No threshold reaches it on validation." in card


def test_one_network_alone_makes_a_report_without_a_comparison(tmp_path):
    sources = write_inputs(tmp_path / "data", networks=("vgg",))
    page, card = write(sources, tmp_path, networks=("vgg",))
    assert "no other to compare it with" in Parsed(page).text("comparison")
    assert "runner-up" not in page + card


@pytest.mark.slow
def test_many_classes_fit(tmp_path):
    classes = [f"class number {number}" for number in range(14)]
    page, card = write(write_inputs(tmp_path / "data", classes=classes, per_class=8), tmp_path)
    assert all(name in page and name in card for name in classes)
    assert Parsed(page).text("answer").startswith("2 networks, 112 images, 14 classes Which of 14 classes?")


# --- credits


def test_every_image_shown_is_credited(inputs, page):
    parsed = Parsed(page)
    images = read_table(inputs.raw / "images.csv").set_index("image_id")
    anchors = {each["id"] for each in parsed.of("tr") if "id" in each}
    links = [each["href"].removeprefix("#") for each in parsed.of("a") if each.get("class", "").startswith("image")]
    assert links
    assert set(links) == anchors
    credits = parsed.text("credits")
    for image_id, row in images.iterrows():
        if f"image-{image_id[:16]}" in anchors:
            assert f"{row['title']} {row['author']} {row['licence']} {row['page_url']}" in credits
    assert f"The frozen part of xception: {CREDIT}" in credits


def test_every_image_of_the_page_is_inside_it_and_has_a_text(page):
    images = Parsed(page).of("img")
    assert images
    assert all(each["src"].startswith("data:image/webp;base64,") and each["alt"] for each in images)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "//x.org",
        "",
        "http://",
        "http://[x",
        "http://x.org/><img src=x onerror=alert(1)>",
        'http://x.org/"onload=',
        "http://x.org\x07",
    ],
)
def test_an_address_that_is_no_web_page_is_no_link(address):
    assert safe_address(address) == ""


@pytest.mark.parametrize("address", ["http://x.org", "https://x.org/a?b=c", " HTTPS://x.org "])
def test_a_web_page_is_a_link(address):
    assert safe_address(address) == address.strip()


def test_credits_are_listed_once(inputs):
    data = read_report_data(inputs, SPLIT, training_of())
    shown = [one.shown.credit for one in report.show_predictions(data)]
    assert len(in_order([*shown, *shown])) == len(shown)


def test_of_very_many_test_images_the_worst_of_each_class_are_shown_and_all_are_counted(inputs, tmp_path, monkeypatch):
    data = read_report_data(inputs, SPLIT, training_of())
    everything = report.show_predictions(data)
    monkeypatch.setattr(exhibits, "MOST_PREDICTIONS", 2 * len(data.classes) + 1)
    shown = report.show_predictions(data)
    worst = [[one for one in everything if one.true == name][:2] for name in data.classes]
    assert shown == [one for each in worst for one in each] and len(shown) < len(everything)
    text = Parsed(write(inputs, tmp_path)[0]).texts["answers"]
    right = sum(one.is_right for one in everything)
    assert f"{right} OK , {len(everything) - right} NG . The worst of each class are shown" in " ".join(text.split())


# --- hostile names


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Write a report with hostile titles, authors, licences, addresses and a hostile class."""

    def change(index):
        index["title"] = '"><img src=x onerror=alert(1)>' + index["title"]
        index["author"] = "[a](javascript:alert(1)) | <b>" + index["author"]
        index["licence"] = "CC BY </style><script>alert(1)</script>"
        index["licence_url"], index["page_url"] = "javascript:alert(1)", "data:text/html,<script>alert(1)</script>"
        index["source"] = "{{ 7 * 7 }} & `x`"

    folder = tmp_path_factory.mktemp("hostile")
    classes = [HOSTILE, "NA", "a|b*c*"]
    return write(write_inputs(folder / "data", classes=classes, change=change), folder)


@pytest.mark.slow
def test_hostile_names_are_shown_and_make_no_element(hostile):
    parsed = Parsed(hostile[0])
    assert not parsed.of("script") and not parsed.of("b onerror")
    assert all(not name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert all(each["src"].startswith("data:image/webp") for each in parsed.of("img"))
    assert any(each["alt"].startswith(f"{HOSTILE}: ") for each in parsed.of("img"))
    assert f"{HOSTILE}, NA or a|b*c*?" in parsed.text("answer")
    assert "{{ 7 * 7 }} & `x`" in parsed.text("data")
    assert len(parsed.of("style")) == 1


@pytest.mark.slow
def test_hostile_addresses_are_no_links(hostile):
    links = [each["href"] for each in Parsed(hostile[0]).of("a")]
    assert links
    assert all(link.startswith("#") for link in links)


# --- how it is written


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(inputs, tmp_path):
    first = write(inputs, tmp_path / "first")
    assert write(inputs, tmp_path / "second") == first


def test_the_policy_allows_the_pages_own_style_and_nothing_else(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-")
    assert "unsafe" not in policy
    assert " style=" not in page


@pytest.mark.parametrize(
    "path",
    ["evaluations/vgg/metrics.json", "evaluations/xception/predictions.csv", "evaluations/vgg/roc.csv",
     "models/vgg/history.csv", "explanations/vgg/mistakes.json", "explanations/vgg/attention.png",
     "metrics/summary.json", "metrics/clean.json", "pixels/images.npy", "cleaned/pairs.csv", "raw/images.csv"],
)  # fmt: skip
def test_what_is_missing_is_named(fresh, tmp_path, path):
    (tmp_path / "data" / path).unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"^{re.escape(str(tmp_path / 'data' / path))}: expected .*, got no such file\.$"
    ):
        write(fresh, tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_summary_of_other_networks_is_refused(inputs, tmp_path):
    with pytest.raises(
        ValueError, match=r"summary\.json: expected networks vgg, got vgg, xception; `dvc repro` compares again"
    ):
        write(inputs, tmp_path, networks=("vgg",))


def test_predictions_for_other_images_are_refused(fresh, tmp_path):
    path = fresh.evaluations / "vgg" / "predictions.csv"
    path.write_text(path.read_text().replace("0" * 60, "f" * 60))
    with pytest.raises(ValueError, match=r"predictions\.csv: expected predictions for images of .*pixels, got others"):
        write(fresh, tmp_path)


@pytest.fixture
def arguments(inputs, project):
    """Work in a folder with a params.yaml of two networks, and return the arguments of the command."""
    project("networks", {"vgg": {"input": "data/3_pixels"}, "xception": {"input": "data/5_features/xception"}})
    return [*map(str, vars(inputs).values()), "out/report.html", "out/model_card.md"]


def test_the_command_writes_both_files(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["report", *arguments])
    report_command.main()
    training = YAML(typ="safe").load(tmp_path / "params.yaml")["train"]
    assert f"| `batch_size` | {training['common']['batch_size']} " in re.sub(
        " +", " ", (tmp_path / "out/model_card.md").read_text()
    )
    assert (tmp_path / "out/report.html").is_file()


def test_the_command_says_in_one_line_what_is_missing(arguments, root):
    arguments[5] = "nowhere"
    command, environment = ["python", "-m", "stages.report", *arguments], warm_environment() | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (1, "nowhere/vgg/predictions.csv: expected a table, got no such file.\n")


# --- wording


@pytest.mark.parametrize(
    ("is_sure", "needed", "expected"),
    [
        (True, 36, "with 95 % certainty also on other images of this kind (somewhat less,"),
        (False, 36, "may be luck: to be sure takes at least 36 images above it, all of the class."),
        (False, None, "may be luck: no number of images can show that every call is right."),
    ],
)
def test_it_says_whether_a_threshold_holds_on_other_images(is_sure, needed, expected):
    told = reached({"threshold": 0.5, "is_sure": is_sure, "needed": needed})
    assert expected in told.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("number", "text"),
    [(987, "987"), (1000, "1.00 k"), (45_600, "45.6 k"), (999_499, "999 k"), (999_600, "1.00 M"),
     (20_867_627, "20.9 M"), (4_570_000_000, "4.57 G")],
)  # fmt: skip
def test_large_counts_have_three_digits(number, text):
    assert short(number).replace("\u00a0", " ") == text


def test_words_of_numbers():
    assert points(-0.0004) == "0.0" and points(0.065) == "+6.5" and points(-0.117) == "−11.7"
    assert percent(None) == "–" and percent(0.7299) == "73.0\u00a0%"
    assert p_value(0.0009) == "< 0.001" and p_value(0.001) == "0.001"
    assert (plural(1, "class"), plural(2, "class"), plural(0, "image")) == ("1 class", "2 classes", "0 images")
    assert (joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"], "or")) == ("a", "a and b", "a, b or c")
    assert (clipped("abcd", 4), clipped("abcde", 4)) == ("abcd", "abc…")
