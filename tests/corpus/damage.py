"""Files and trees that chance makes: damaged copies of the corpus's files, and folders of anything."""

import random

from tests.corpus.files import FILES, GREY, KEPT, LINES
from tests.corpus.trees import image, in_table, tarred, tree, zipped

WHOLE = [name for name, (_, outcome) in FILES.items() if outcome in (KEPT, GREY, LINES)]
PARTS = ("cat", "dog", "train", "test", "val", "images", " a", "caf\u00e9", "cafe\u0301", "x.y", "$x^$", "-", "\udce9",
         "NA", "\u732b", ".hidden", "__MACOSX", "images.csv", "'\"", "%s", "a\nb", "~", "con")  # fmt: skip
NAMES = ("1.png", "2.JPG", "3", "4.txt", ".DS_Store", "Thumbs.db", "5 .png", "\udcff.png", "6\n.png", "7.png.zip",
         "images.csv", "failures.csv", "-8.png", "\u202e9.png")  # fmt: skip
COLUMNS = ("file", "class", "split", "title", "source_id", "junk", "")
CELLS = ("1.png", "cat/1.png", "../1.png", "cat", "dog", "a/b", "train", "dev", "", '"', "x" * 300, "\u732b", "\\",
         "1.png ")  # fmt: skip


def mutate(content, way, rng):
    """Return the bytes damaged in one of ten ways."""
    start = int(rng.integers(len(content)))
    end = min(len(content), start + int(rng.integers(1, 40)))
    noise = rng.integers(0, 256, 40, dtype="uint8").tobytes()
    middle = {
        0: bytes([content[start] ^ 1 << int(rng.integers(8))]) + content[start + 1 : end],  # one bit
        1: noise[: end - start],
        2: b"",  # a part missing
        3: bytes(end - start),
        4: content[start:end] * 2,
        5: noise + content[start:end],
    }
    if way in middle:
        return content[:start] + middle[way] + content[end:]
    place = int(rng.integers(min(60, len(content))))
    return {
        6: content[:start],
        7: content + noise,
        8: content[:place] + noise[:1] + content[place + 1 :],  # the header
        9: content[: -int(rng.integers(1, 14))],
    }[way]


def odd_source(seed):
    """Return a function that writes a source of odd names, links, pipes and tables, as a folder or an archive."""
    chance = random.Random(seed)

    def path(names):
        parts = [chance.choice(PARTS) for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3)))]
        return "/".join([*parts, chance.choice(names)])

    def content():
        return chance.choice((b"", b"text", image(chance.randrange(99)), image(chance.randrange(99))[:-9]))

    def table():
        columns = chance.sample(COLUMNS, chance.randrange(1, 5))
        rows = [[chance.choice(CELLS) for _ in range(chance.randrange(1, 5))] for _ in range(chance.randrange(4))]
        return chance.choice((",", ";", "\t")).join(columns) + "\n" + "".join(",".join(row) + "\n" for row in rows)

    files = {}
    for name in (path(NAMES) for _ in range(chance.randrange(8))):
        if not any(name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in files):
            files[name] = content()
    kind = chance.random()
    if kind < 0.15:
        return zipped({name.encode("utf-8", "replace").decode(): content() for name in files})
    if kind < 0.3:
        return tarred({name: content() for name in files})
    if kind < 0.5:
        return in_table(table() if chance.random() < 0.8 else chance.choice((";;\n", "\n", "a\tb", "\ufeff")))
    targets = ("..", ".", "nowhere", "/etc/hostname", "cat", "cat/1.png", "loop")
    taken = set(files)
    links = []
    for name in (path(NAMES) for _ in range(chance.randrange(3))):
        if not any(name == other or name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in taken):
            links.append((name, chance.choice(targets)))
            taken.add(name)
    return tree(files, links=links)
