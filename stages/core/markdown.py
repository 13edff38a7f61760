"""Text that Markdown shows as it is: names, titles and licences come from strangers."""

import re

# What Markdown or HTML acts on; an underscore inside a word is none of it.
ACTIVE = re.compile(r"[\\`*\[\]<>|&#~!]|(?<![^\W_])_|_(?![^\W_])")


def plain(text: str) -> str:
    """The text on one line, its markup made harmless by backslashes (https://spec.commonmark.org, section 2.4)."""
    return ACTIVE.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
