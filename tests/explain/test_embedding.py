import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.explain.embedding import PALE, draw_embedding, embed, plot_embedding
from stages.figures.style import HAIR_SPACE, MOST_CLASSES, begin_figure

METHODS = ["tsne", "pca"]


def clusters(number=25, dimensions=20, seed=0):
    """Return features of three classes, which are far apart, and the class numbers."""
    random = np.random.default_rng(seed)
    centres = 8 * np.eye(3, dimensions)
    numbers = np.arange(3 * number) % 3
    return (centres[numbers] + random.normal(size=(3 * number, dimensions))).astype(np.float32), numbers


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_are_of_the_same_cluster(method):
    features, numbers = clusters()
    points = embed(features, method, perplexity=15, seed=0)
    assert points.shape == (len(features), 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(points))
    assert (numbers[distances.argmin(axis=1)] == numbers).mean() > 0.98


def test_tsne_parts_clusters_that_two_principal_components_do_not():
    """Check six clusters on six axes: two components show only two of the axes."""
    random = np.random.default_rng(0)
    numbers = np.arange(180) % 6
    features = (10 * np.eye(6)[numbers] + random.normal(size=(180, 6))).astype(np.float32)
    purity = {}
    for method in METHODS:
        points = embed(features, method, perplexity=15, seed=0)
        distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(points))
        purity[method] = (numbers[distances.argmin(axis=1)] == numbers).mean()
    assert purity["tsne"] > 0.98 > purity["pca"]


def test_pca_is_the_singular_value_decomposition():
    features, _ = clusters()
    left, values, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    points = embed(features, "pca", perplexity=30, seed=0)
    np.testing.assert_allclose(points * np.sign(points[0]), expected * np.sign(expected[0]), atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_features_have_the_same_points(method):
    features, _ = clusters(30, 300)
    first, second = (embed(features, method, perplexity=30, seed=0) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(2, 5), (3, 1), (30, 1)])
def test_takes_few_rows_and_few_features(method, shape):
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    points = embed(features, method, perplexity=30, seed=0)
    assert points.shape == (shape[0], 2) and np.isfinite(points).all()


@pytest.mark.parametrize("method", METHODS)
def test_features_that_are_all_alike_have_points_too(method):
    points = embed(np.zeros((40, 10), np.float32), method, perplexity=30, seed=0)
    assert np.isfinite(points).all()


def table_of(classes, number=60):
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(number, 2)), columns=["x", "y"])
    for column, choices in (("class", classes), ("predicted", classes), ("split", ["train", "val", "test"])):
        table[column] = [choices[i] for i in random.integers(0, len(choices), number)]
    return table


def legend_of(figure):
    return [text.get_text().removeprefix(HAIR_SPACE) for text in figure.axes[0].get_legend().get_texts()]


@pytest.fixture(autouse=True)
def without_a_window():
    begin_figure("white")


def test_the_legend_names_every_class_and_counts_what_was_mistaken():
    table = table_of(["cat", "dog"])
    is_test = table["split"] == "test"
    wrong = (is_test & (table["class"] != table["predicted"])).sum()
    counts = [f"{name} ({(table['class'] == name).sum()})" for name in ("cat", "dog")]
    rest = [f"test ({is_test.sum()})", "train and val", f"test, taken for another class ({wrong})"]
    assert legend_of(plot_embedding(table, "title")) == counts + rest


def test_the_rings_are_around_the_test_images_that_were_mistaken():
    table = table_of(["cat", "dog"])
    wrong = table[(table["split"] == "test") & (table["class"] != table["predicted"])]
    rings = plot_embedding(table, "title").axes[0].collections[-1]
    np.testing.assert_allclose(rings.get_offsets(), wrong[["x", "y"]])


def test_the_first_of_very_many_classes_look_different_and_the_others_are_counted():
    classes = [f"class {i:02}" for i in range(70)]
    figure = plot_embedding(table_of(classes, 700), "title")
    entries = figure.axes[0].get_legend().legend_handles[:MOST_CLASSES]
    looks = {(entry.get_marker(), matplotlib.colors.to_hex(entry.get_color())) for entry in entries}
    assert len(looks) == MOST_CLASSES
    assert legend_of(figure)[MOST_CLASSES] == f"and {70 - MOST_CLASSES} more classes"
    drawn = {matplotlib.colors.to_hex(colour) for colour in figure.axes[0].collections[0].get_facecolors()}
    assert drawn == {colour for _, colour in looks} | {PALE}


def test_names_of_classes_are_shown_as_they_are(tmp_path):
    names = ["$x^2$", "_hidden", 'a,b "c"', "back\\slash", "{0} %s", "é"]
    table = table_of(names, 200)
    figure = plot_embedding(table, "_$a$")
    assert [label.rpartition(" (")[0] for label in legend_of(figure)[:6]] == sorted(names)
    shown = [figure.axes[0].title, *figure.axes[0].get_legend().get_texts()]
    assert not any(text.get_parse_math() for text in shown)
    draw_embedding(table, "_$a$", tmp_path / "embedding.png")


def test_a_second_drawing_changes_no_byte_and_bears_no_date(tmp_path):
    table = table_of(["cat", "dog"])
    for name in ("one", "two"):
        draw_embedding(table, "title", tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as figure:
        assert set(figure.info) <= {"dpi"}


@pytest.mark.parametrize("only", ["train", "test"])
def test_draws_a_split_alone(only, tmp_path):
    table = table_of(["cat"]).assign(split=only)
    draw_embedding(table, "title", tmp_path / "embedding.png")
    assert (tmp_path / "embedding.png").stat().st_size > 5000
