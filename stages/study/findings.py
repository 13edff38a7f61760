"""Findings of a document, in a form that can be compared with measured results."""

from typing import Annotated, Literal

from pydantic import Field

from stages.core.params import Section
from stages.tracking.run import Value

FINAL = "final"  # in place of a sweep's name: the run with all chosen values


class Setting(Section):
    """A value of a network's sweep; or, with the sweep `final`, the network with all chosen values."""

    network: str
    sweep: str = FINAL
    value: Value = None


class Reported(Section):
    """A finding in our words, and the document's sentence or table from which it comes."""

    claim: str
    quote: str


class InSweep(Reported):
    """A finding about one sweep of a network."""

    network: str
    sweep: str


class DoesNotLearn(InSweep):
    """The finding that, with these values, a network is no better than naming the largest class every time."""

    check: Literal["does_not_learn"]
    values: list[Value] = Field(min_length=1)

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=value) for value in self.values]


class BestOf(InSweep):
    """The finding that a value is better than each other value of its sweep."""

    check: Literal["best_of"]
    value: Value

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=self.value)]


class Overfits(InSweep):
    """The finding that the accuracy on training images exceeds the accuracy on validation by at least `gap`."""

    check: Literal["overfits"]
    value: Value
    gap: float = Field(ge=0, lt=1)

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=self.value)]


class Beats(Reported):
    """The finding that one setting is right more often than another."""

    check: Literal["beats"]
    better: Setting
    worse: Setting
    split: Literal["val", "test"]

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [self.better, self.worse]


class Reaches(Reported):
    """The finding that the final model reaches at least this accuracy on test."""

    check: Literal["reaches"]
    network: str
    accuracy: float = Field(gt=0, le=1)

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [Setting(network=self.network)]


class Precise(Reported):
    """The finding that at least this share of the test images that the final model gives the wanted class has it."""

    check: Literal["precise"]
    network: str
    precision: float = Field(gt=0, le=1)

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [Setting(network=self.network)]


class Costs(InSweep):
    """The finding that a training step with `value` costs `times` as much as with `against`, within a factor `within`.

    The times come from the benchmark of training steps, whose cases take turns, never from how long a run took.
    """

    check: Literal["costs"]
    value: int
    against: int
    times: float = Field(gt=1)
    within: float = Field(gt=1)

    def settings(self) -> list[Setting]:
        """Return the settings that must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=value) for value in (self.value, self.against)]


class Unchecked(Reported):
    """A finding that no result here can confirm or contradict, and why."""

    check: Literal["none"]
    why: str

    def settings(self) -> list[Setting]:
        """Return an empty list: no run can decide the finding."""
        return []


Finding = Annotated[
    DoesNotLearn | BestOf | Overfits | Beats | Reaches | Precise | Costs | Unchecked, Field(discriminator="check")
]
