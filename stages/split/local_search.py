"""Local search for parts of groups that are as near to the quotas of their classes as that gets.

What is minimised is the sum over parts and classes of the difference between images and quota, after groups of one
image have filled up what they can. They can fill up everything but what is there in excess elsewhere, so the sum is
twice the excess. Each group is moved, or exchanged with another one, as long as that helps; then some groups are thrown
elsewhere at random and all is tried again (iterated local search, Lourenço, Martin and Stützle 2003,
https://doi.org/10.1007/0-306-48056-5_11). A start that has no excess stays as it is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Change = Callable[[int, Integers, Integers], bool]

UNFILLED = 1_000_000  # cost of a class that some part gets no image of
THROWS, THROWN = 30, 4  # how often groups are thrown elsewhere, and how many
LEAST_TRIED, TRIED_OF_EACH = 30_000, 2  # moves that are tried in all, at least, and for each group
CELLS = 5_000  # numbers of images that an exchange weighs in the time of about one more move
FEW = 1000  # candidates that are looked for anew after each move
PARTNERS = 200  # groups with which one is exchanged at most


class Search:
    """A search for the parts of groups, given their images of each class `(groups, classes)`.

    `wanted` are the quotas `(parts, classes)`, and `singles` are the groups of one image of each class, which fill up.
    """

    def __init__(self, images: Integers, wanted: Integers, singles: Integers, generator: np.random.Generator) -> None:
        self.images, self.wanted, self.singles, self.generator = images, wanted, singles, generator
        self.rows, self.classes = np.nonzero(images)
        self.starts = np.searchsorted(self.rows, np.arange(len(images) + 1))
        self.left = max(LEAST_TRIED, TRIED_OF_EACH * len(images))

    def improve(self, parts: Integers) -> Integers:
        """Return parts of the groups that cost as little as the search finds, from a start that is nearest to them."""
        best = self.descend(parts)
        for _ in range(THROWS):
            if self.left <= 0 or not self.cost_of(best):
                break
            thrown = best.copy()
            thrown[self.generator.integers(len(best), size=THROWN)] = self.generator.integers(
                len(self.wanted), size=THROWN
            )
            found = self.descend(thrown)
            if self.cost_of(found) < self.cost_of(best):
                best = found
        return best

    def descend(self, parts: Integers) -> Integers:
        """Return the parts after all moves and exchanges that lower the cost."""
        parts = parts.copy()
        got = count(self.images, parts, len(self.wanted))
        while self.cost(got) and (self.sweep(self.move, parts, got) or self.sweep(self.exchange, parts, got)):
            pass
        return parts

    def sweep(self, change: Change, parts: Integers, got: Integers) -> bool:
        """Change groups until one change helps; of many groups change all that it helps. Return whether any did."""
        groups = self.candidates(parts, got)
        if len(groups) <= FEW:
            return any(change(group, parts, got) for group in groups)
        return sum(change(group, parts, got) for group in groups) > 0

    def candidates(self, parts: Integers, got: Integers) -> Integers:
        """Return in random order the groups that may lie better elsewhere.

        These are the groups with a class of which their part has too much, or of which another part has nothing.
        """
        is_wrong = (got > self.wanted) | ((got == 0).any(axis=0) & (got > 0))
        found = is_wrong[parts[self.rows], self.classes]
        return self.generator.permutation(np.unique(self.rows[found]))

    def move(self, group: int, parts: Integers, got: Integers) -> bool:
        """Move a group to the part where it costs least, and return whether that lowers the cost."""
        self.left -= 1
        if self.left < 0:
            return False
        own, part = self.classes[self.starts[group] : self.starts[group + 1]], parts[group]
        before, images = got[:, own], self.images[group, own]
        gain = self.loss(before[part] - images, part, own) - self.loss(before[part], part, own)
        slots = np.arange(len(got))
        losses = self.loss(before + images, slots, own) - self.loss(before, slots, own) + gain
        # How many parts have nothing of a class, if the group were in each of the parts.
        empty = (before == 0).sum(axis=0)
        n_empty = empty + (before[part] == images) - (before == 0)
        losses += self.unfilled(n_empty, own) - self.unfilled(empty, own)
        losses[part] = 0
        best = int(losses.argmin())
        if losses[best] >= 0:
            return False
        got[part, own] -= images
        got[best, own] += images
        parts[group] = best
        return True

    def exchange(self, group: int, parts: Integers, got: Integers) -> bool:
        """Exchange a group with the group of another part where that costs least, and return whether that helps."""
        self.left -= 1 + PARTNERS * self.images.shape[1] // CELLS
        partners = np.flatnonzero(parts != parts[group])
        if self.left < 0 or not len(partners):
            return False
        if len(partners) > PARTNERS:
            partners = self.generator.choice(partners, PARTNERS, replace=False)
        part, others, every = parts[group], parts[partners], slice(None)
        gain = self.images[partners] - self.images[group]
        mine, its = got[part] + gain, got[others] - gain
        losses = self.loss(mine, part, every) - self.loss(got[part], part, every)
        losses += self.loss(its, others, every) - self.loss(got[others], others, every)
        empty = (got == 0).sum(axis=0)
        n_empty = empty - (got[part] == 0) - (got[others] == 0) + (mine == 0) + (its == 0)
        losses += self.unfilled(n_empty, every) - self.unfilled(empty, every)
        best = int(losses.argmin())
        if losses[best] >= 0:
            return False
        got[part] += gain[best]
        got[others[best]] -= gain[best]
        parts[group], parts[partners[best]] = parts[partners[best]], parts[group]
        return True

    def loss(self, images: Integers, parts: Any, classes: Any) -> Integers:
        """Return what images `(…, classes)` of some parts are in excess of the quotas, twice."""
        found: Integers = 2 * np.maximum(images - self.wanted[parts][..., classes], 0).sum(axis=-1)
        return found

    def unfilled(self, n_empty: Integers, classes: Any) -> Integers:
        """Return the cost of classes of which so many parts have nothing that single images cannot fill them all."""
        found: Integers = UNFILLED * np.maximum(n_empty - self.singles[classes], 0).sum(axis=-1)
        return found

    def cost_of(self, parts: Integers) -> int:
        """Return the cost of the parts of all groups."""
        return self.cost(count(self.images, parts, len(self.wanted)))

    def cost(self, got: Integers) -> int:
        """Return the cost of images `(parts, classes)` that groups bring to the parts."""
        every = slice(None)
        return int(self.loss(got, every, every).sum() + self.unfilled((got == 0).sum(axis=0), every))


def count(images: Integers, parts: Integers, n_parts: int) -> Integers:
    """Return the images `(parts, classes)` that the groups bring to each part."""
    counts = np.zeros((n_parts, images.shape[1]), dtype=np.int64)
    np.add.at(counts, parts, images)
    return counts
