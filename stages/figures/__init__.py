"""How figures and contact sheets look: fonts, names of classes, tiles on a page."""
