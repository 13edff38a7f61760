"""Local search for parts of groups that are as near to the quotas of their classes as that gets.

What is minimised is the sum over parts and classes of the difference between images and quota, after groups of one
image have filled up what they can. They can fill up everything but what is there in excess elsewhere, so the sum is
twice the excess. Each group is moved, or exchanged with another one, as long as that helps; then some groups are thrown
elsewhere at random and all is tried again (iterated local search, Lourenço, Martin and Stützle 2003,
https://doi.org/10.1007/0-306-48056-5_11). A start that has no excess stays as it is.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

UNFILLED = 1_000_000  # cost of a class that some part gets no image of
THROWS, THROWN = 30, 4  # how often groups are thrown elsewhere, and how many
MOST_TRIED = 30_000  # groups for which a move is tried, in all; 2 s
PARTNERS = 200  # groups with which one is exchanged at most


class Search:
    """A search for the parts of groups, given their images of each class `(groups, classes)`.

    `wanted` are the quotas `(parts, classes)`, and `singles` are the groups of one image of each class, which fill up.
    """

    def __init__(self, images: Integers, wanted: Integers, singles: Integers, generator: np.random.Generator) -> None:
        self.images, self.wanted, self.singles, self.generator = images, wanted, singles, generator
        self.left = MOST_TRIED

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
        is_better = True
        while is_better and self.cost(got):
            is_better = any(self.move(group, parts, got) for group in self.candidates(parts, got)) or any(
                self.exchange(group, parts, got) for group in self.candidates(parts, got)
            )
        return parts

    def candidates(self, parts: Integers, got: Integers) -> Integers:
        """Return in random order the groups that may lie better elsewhere.

        These are the groups with a class of which their part has too much, or of which another part has nothing.
        """
        is_wrong = (got > self.wanted) | ((got == 0).any(axis=0) & (got > 0))
        return self.generator.permutation(np.flatnonzero(((self.images > 0) & is_wrong[parts]).any(axis=1)))

    def move(self, group: int, parts: Integers, got: Integers) -> bool:
        """Move a group to the part where it costs least, and return whether that lowers the cost."""
        self.left -= 1
        if self.left < 0:
            return False
        trials = np.repeat(got[None], len(got), axis=0)
        trials[:, parts[group]] -= self.images[group]
        trials[np.arange(len(got)), np.arange(len(got))] += self.images[group]
        costs = self.cost(trials)
        part = int(costs.argmin())
        if costs[part] >= self.cost(got):
            return False
        got[:], parts[group] = trials[part], part
        return True

    def exchange(self, group: int, parts: Integers, got: Integers) -> bool:
        """Exchange a group with the group of another part where that costs least, and return whether that helps."""
        self.left -= 1
        partners = np.flatnonzero(parts != parts[group])
        if self.left < 0 or not len(partners):
            return False
        if len(partners) > PARTNERS:
            partners = self.generator.choice(partners, PARTNERS, replace=False)
        gain = self.images[partners] - self.images[group]
        trials = np.repeat(got[None], len(partners), axis=0)
        trials[:, parts[group]] += gain
        trials[np.arange(len(partners)), parts[partners]] -= gain
        costs = self.cost(trials)
        best = int(costs.argmin())
        if costs[best] >= self.cost(got):
            return False
        got[:] = trials[best]
        parts[group], parts[partners[best]] = parts[partners[best]], parts[group]
        return True

    def cost_of(self, parts: Integers) -> int:
        """Return the cost of the parts of all groups."""
        return int(self.cost(count(self.images, parts, len(self.wanted))))

    def cost(self, got: Integers) -> Integers:
        """Return the cost of images `(…, parts, classes)` that groups bring to the parts."""
        excess = np.maximum(got - self.wanted, 0).sum(axis=(-2, -1))
        n_empty = np.maximum((got == 0).sum(axis=-2) - self.singles, 0).sum(axis=-1)
        costs: Integers = 2 * excess + UNFILLED * n_empty
        return costs


def count(images: Integers, parts: Integers, n_parts: int) -> Integers:
    """Return the images `(parts, classes)` that the groups bring to each part."""
    counts = np.zeros((n_parts, images.shape[1]), dtype=np.int64)
    np.add.at(counts, parts, images)
    return counts
