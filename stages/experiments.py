"""Experiments: the results of a network's DVC experiments, with mean and deviation over those that differ in seed."""

import argparse
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from stages.core import params
from stages.core.terminal import command
from stages.results.markdown_table import to_markdown
from stages.tracking.dvc_experiments import read_lock

DIGITS = 3


def run(rows: list[dict[str, Any]], network: str, networks: list[str], *, with_test: bool) -> pd.DataFrame:
    """Return a row for each setting of the network, best validation accuracy first: params, seeds, mean and deviation.

    The deviation is the sample standard deviation (divided by runs - 1), and is left out for a single run. The test
    accuracy is left out by default: whoever chooses a setting by it has no test left.

    Args:
        rows: The experiments and the commits that they start from, as `with_models` returns them.
        network: The network whose runs are meant. Experiments with the same model, not trained again, count once.
        networks: All networks of params.yaml.
        with_test: Whether the accuracy on test is shown too.

    Raises:
        ValueError: No row has metrics of the network.
    """
    table = pd.DataFrame(rows)
    accuracy = {split: f"metrics/{network}.json:{split}.accuracy" for split in ("val", "test")}
    model = f"data/6_models/{network}/model.keras"
    if accuracy["val"] not in table:
        raise ValueError(f"experiments: expected some with metrics of {network}, got none.")
    done = table[table["rev"] != "workspace"].dropna(subset=[accuracy["val"]]).drop_duplicates(model)
    varied = [name for name in setting_columns(done, network, networks) if done[name].astype(str).nunique() > 1]
    seeds = [name for name in varied if is_seed(name)]
    groups = group_by_setting(done, [name for name in varied if name not in seeds])
    shown = ["val", "test"] if with_test else ["val"]
    found = [
        {"setting": setting, "seeds": count_seeds(runs, seeds), "runs": len(runs)}
        | {split: with_deviation(runs[accuracy[split]]) for split in shown}
        | {"order": -runs[accuracy["val"]].mean()}
        for setting, runs in groups
    ]
    return pd.DataFrame(found).sort_values(["order", "setting"]).drop(columns="order")


def with_models(rows: list[dict[str, Any]], network: str) -> list[dict[str, Any]]:
    """Return the rows, each with the hash of the model that its experiment trained.

    DVC itself shows the hash that the last stage which reads the model recorded; an experiment that ends with
    `evaluate` has not run that stage.
    """
    path = f"data/6_models/{network}/model.keras"
    done = [row for row in rows if row["rev"] != "workspace"]
    written = [read_lock(row["rev"]).get(f"train@{network}", {}).get("outs", []) for row in done]
    return [
        {**row, path: next((out["md5"] for out in outs if out["path"] == path), None)}
        for row, outs in zip(done, written, strict=True)
    ]


def setting_columns(table: pd.DataFrame, network: str, networks: list[str]) -> list[str]:
    """Return the columns that hold params, except params of other networks' training and of steps after training."""
    sections = ("collect.", "clean.", "preprocess.", "split.", "pretrained.", "features.", "augmentations.", "train.")
    others = tuple(f"train.{name}." for name in networks if name not in (network, "common"))
    return [str(name) for name in table if str(name).startswith(sections) and not str(name).startswith(others)]


def is_seed(name: str) -> bool:
    """Return whether a param changes only what is drawn at random, or which fold is tested."""
    return name.endswith(".seed") or name == "split.fold"


def group_by_setting(table: pd.DataFrame, varied: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return the name and the rows of each setting; its name lists the params that differ between rows."""
    if not varied:
        return [("as in params.yaml", table)]
    by_setting = table.fillna(dict.fromkeys(varied, "")).astype(dict.fromkeys(varied, str)).groupby(varied)
    return [(name_setting(varied, key), table.loc[rows.index]) for key, rows in by_setting]


def name_setting(varied: list[str], values: Hashable) -> str:
    """Return the params and their values in words."""
    row = values if isinstance(values, tuple) else (values,)
    return ", ".join(f"{name}={value}" for name, value in zip(varied, row, strict=True))


def count_seeds(runs: pd.DataFrame, seeds: list[str]) -> str:
    """Return the seeds of the runs in words; an empty text if they are all the same."""
    return "; ".join(
        f"{name} {', '.join(f'{value:.12g}' for value in sorted(runs[name].dropna().unique()))}"
        for name in seeds
        if runs[name].nunique() > 1
    )


def with_deviation(values: pd.Series) -> str:
    """Return the mean of the runs, and their standard deviation if there are several."""
    mean = f"{values.mean():.{DIGITS}f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values.to_numpy(dtype=float), ddof=1):.{DIGITS}f}"


def main() -> None:
    """Show the experiments of a network as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="a network of params.yaml")
    parser.add_argument(
        "--test", action="store_true", help="show the accuracy on test too, once nothing is left to choose by it"
    )
    arguments = parser.parse_args()
    networks = list(params.find_table(params.load(), "train"))
    if arguments.network not in networks:
        raise ValueError(f"network: expected one of {', '.join(networks)}, got {arguments.network}.")
    import dvc.api  # takes a second

    rows = with_models(dvc.api.exp_show(), arguments.network)
    table = run(rows, arguments.network, networks, with_test=arguments.test)
    print(to_markdown(table.to_numpy().tolist(), list(table.columns), "llr" + "r" * (len(table.columns) - 3)))


if __name__ == "__main__":
    command(main)
