import pandas as pd

from benchmarks import pixel_sizes


def test_only_deals_with_both_sizes_are_compared(tmp_path):
    table = tmp_path / "pixel_sizes.csv"
    rows = [(0, 96, 0.6, 10), (0, 128, 0.5, 20), (1, 96, 0.7, 10), (1, 128, 0.8, 30), (2, 96, 0.1, 9), (2, 64, 0.2, 3)]
    for deal, pixels, accuracy, seconds in rows:
        pixel_sizes.append(table, [deal, "vgg", pixels, 3, 0.9, accuracy, seconds])
    assert pixel_sizes.is_done(table, 1, "vgg", 128)
    assert not pixel_sizes.is_done(table, 2, "vgg", 128)
    _, shown = pixel_sizes.as_texts(pd.read_csv(table, dtype=str))
    assert shown.splitlines()[-2] == "| vgg | 1 | 64 and 96 | 0.200 | 0.100 | +0.100 | +0.100 | 0.33 |"
    assert shown.splitlines()[-1] == "| vgg | 2 | 96 and 128 | 0.650 | 0.650 | -0.000 | -0.100 +0.100 | 0.40 |"


def test_nothing_is_done_without_a_table(tmp_path):
    assert not pixel_sizes.is_done(tmp_path / "none.csv", 0, "vgg", 96)


def test_the_page_is_that_of_the_table_which_has_five_deals_of_each_network(root):
    done = pd.read_csv(root / "benchmarks" / "results" / "pixel_sizes.csv", dtype=str)
    assert set(done.groupby(["network", "pixels"]).size()) == {5}
    _, shown = pixel_sizes.as_texts(done)
    assert shown in (root / "benchmarks" / "results" / "pixel_sizes.md").read_text()
