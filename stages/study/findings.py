"""What a document reported, in a form that measured results can be held against."""

from typing import Annotated, Literal

from pydantic import Field

from stages.core.params import Section
from stages.tracking.run import Value

FINAL = "final"  # where a sweep's name would stand: the run with all chosen values


class Setting(Section):
    """A value of a network's sweep; or with the sweep `final` the network with all chosen values."""

    network: str
    sweep: str = FINAL
    value: Value = None


class Reported(Section):
    """A finding in our words, and the sentence or table of the document that it comes from."""

    claim: str
    quote: str


class InSweep(Reported):
    """A finding about one sweep of a network."""

    network: str
    sweep: str


class DoesNotLearn(InSweep):
    """With these values the network tells the classes no better than by naming the largest."""

    check: Literal["does_not_learn"]
    values: list[Value] = Field(min_length=1)

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=value) for value in self.values]


class BestOf(InSweep):
    """The value is better than each other one of its sweep."""

    check: Literal["best_of"]
    value: Value

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=self.value)]


class Overfits(InSweep):
    """The training images are told more often than those of validation, by at least so much accuracy."""

    check: Literal["overfits"]
    value: Value
    gap: float = Field(ge=0, lt=1)

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=self.value)]


class Beats(Reported):
    """One setting is right more often than another."""

    check: Literal["beats"]
    better: Setting
    worse: Setting
    split: Literal["val", "test"]

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [self.better, self.worse]


class Reaches(Reported):
    """The final model is right at least so often on test."""

    check: Literal["reaches"]
    network: str
    accuracy: float = Field(gt=0, le=1)

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [Setting(network=self.network)]


class Precise(Reported):
    """Of the test images that the final model calls by the wanted class, at least this share is of it."""

    check: Literal["precise"]
    network: str
    precision: float = Field(gt=0, le=1)

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [Setting(network=self.network)]


class Costs(InSweep):
    """A training step with one value costs so many times one with another, give or take a factor `within`.

    Timed by the benchmark of training steps, whose cases take turns: never by what a run happened to take.
    """

    check: Literal["costs"]
    value: int
    against: int
    times: float = Field(gt=1)
    within: float = Field(gt=1)

    def settings(self) -> list[Setting]:
        """What must have been run."""
        return [Setting(network=self.network, sweep=self.sweep, value=each) for each in (self.value, self.against)]


class Unchecked(Reported):
    """Something that no result here can confirm or contradict, and why."""

    check: Literal["none"]
    why: str

    def settings(self) -> list[Setting]:
        """Nothing must have been run."""
        return []


Finding = Annotated[
    DoesNotLearn | BestOf | Overfits | Beats | Reaches | Precise | Costs | Unchecked, Field(discriminator="check")
]
