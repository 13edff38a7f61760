import pandas as pd
import pytest

from stages.collect.advice import advise, advise_size, advise_split


@pytest.mark.parametrize(
    ("sides", "size", "share"),
    [
        ([500] * 10, 224, "100%"),
        ([500] * 8 + [130] * 2, 224, "80%"),
        ([500] * 7 + [130] * 3, 128, "100%"),
        ([40], 96, "0%"),
    ],
)
def test_the_largest_size_that_four_of_five_images_reach_is_advised(sides, size, share):
    advice = advise_size(pd.Series(sides))
    assert advice.startswith(f"collect: {share} of the images have at least {size} pixels on their longer side")
    assert f"preprocess.size={size} " in advice
    assert ("suits them" in advice) == (share != "0%")


def test_the_splits_and_their_precision_are_told():
    few, many = advise_split(400), advise_split(4000)
    assert "makes about 280 train, 60 val and 60 test images; an accuracy of 80% is then known to ±10 points" in few
    assert few.endswith("So few val images cannot tell close networks apart.")
    assert "2,800 train, 600 val and 600 test images" in many
    assert many.endswith("to ±3 points (95 %).")


def test_the_advice_is_about_different_images_and_survives_unreadable_ones(tmp_path):
    rows = [("a", 300, 200), ("a", 300, 200), ("b", 0, 0)]
    pd.DataFrame(rows, columns=["image_id", "width", "height"]).to_csv(tmp_path / "images.csv", index=False)
    size, split = advise(tmp_path)
    assert "100% of the images have at least 224 pixels" in size
    assert "about 1 train, 0 val and 0 test images" in split
