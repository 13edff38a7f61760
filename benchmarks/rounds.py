"""Fair comparisons: methods measured in turn, round after round, and their ratios as Markdown."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Cost:
    """The cost of one run: CPU seconds include all processes that it started, the memory does not."""

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0


def report(path: Path, started_s: tuple[float, float], **result: Any) -> None:
    """Write the result for `run_child` to the path, with the cost since `started_s`, which is what `now()` returned."""
    wall, cpu = started_s
    costs = {"wall_s": time.perf_counter() - wall, "imports_cpu_s": cpu, "peak_mb": read_peak()}
    path.write_text(json.dumps({**costs, **result}))


def read_peak() -> float:
    """Return the most memory that this process has used so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux starts ru_maxrss at the peak of the process that started this one.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: bytes


def now() -> tuple[float, float]:
    """Return seconds on the clock, and CPU seconds of this process so far, which are its imports and do not count."""
    return time.perf_counter(), time.process_time()


def run_child(*command: object) -> tuple[dict[str, Any], Cost]:
    """Run the command, and return its cost and what it reports at the path that it gets as its last argument.

    Raises:
        ValueError: The command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, "result.json"), Path(folder, "output.txt")
        words = [*map(str, command), str(path)]
        with output.open("w") as stream:
            child = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            end = " ".join(output.read_text(errors="replace").split()[-60:])
            raise ValueError(f"{' '.join(words)}: expected exit status 0, got {child.returncode}: {end}.")
        result = json.loads(path.read_text())
    cpu = usage.ru_utime + usage.ru_stime - result.pop("imports_cpu_s")
    return result, Cost(result.pop("wall_s"), cpu, result.pop("peak_mb"))


def take_turns(methods: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of each method in each round; every round begins with another method."""
    names = list(methods)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            costs[name].append(methods[name]())
            print(f"round {number + 1} of {rounds}: {name} {costs[name][-1]}", file=sys.stderr)
    return costs


def ratio(costs: list[Cost], others: list[Cost], unit: str) -> str:
    """Return median and range over the rounds of the ratio of two methods' costs, in `cpu_s` or `wall_s`."""
    ratios = [getattr(one, unit) / getattr(other, unit) for one, other in zip(costs, others, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def median(costs: list[Cost], unit: str) -> float:
    """Return the median over the rounds, in seconds or megabytes."""
    return float(statistics.median(getattr(cost, unit) for cost in costs))


def to_table(header: list[str], rows: list[list[str]]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def publish(name: str, *parts: str) -> None:
    """Print the parts and a line about the machine, and write them to `results/<name>.md`."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}"
    text = "\n".join([*parts, f"Measured on {machine}.\n"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
