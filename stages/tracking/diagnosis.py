"""What of the repository a kill or a merge has left in part, and what will not work here.

DVC writes dvc.lock and its table of running commands in place, after and around each step. Killed meanwhile, it leaves
them cut off, and no later `dvc` goes on.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from stages.core.params import PARAMS, line_of, load, lookup
from stages.core.stage_inputs import PIPELINE
from stages.sources.tree_layout import walk
from stages.tracking.dvc_experiments import LOCK
from stages.tracking.git import git
from stages.tracking.risks import find_risks

TEMPORARY = Path(".dvc/tmp")
RUNNING = TEMPORARY / "rwlock"  # which commands read and write which paths
CONFLICT = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
WRITTEN_S = 1.5  # a file that a living DVC writes is whole again after this time


@dataclass(frozen=True)
class Diagnosis:
    """Sentences on what was torn and is whole again, on what stops DVC, and on what may fail or be lost later."""

    mended: list[str]
    faults: list[str]
    warnings: list[str]


def as_text(diagnosis: Diagnosis) -> str:
    """Return a line for each finding; an empty text if there is none."""
    lines = [f"mended: {text}" for text in diagnosis.mended]
    lines += [f"to mend: {text}" for text in diagnosis.faults]
    return "\n".join([*lines, *(f"beware: {text}" for text in diagnosis.warnings)])


def examine() -> Diagnosis:
    """Look at the repository of the present folder, and mend what a killed DVC has left in part."""
    faults = [*find_conflicts()]
    mended = [] if faults else [*mend_lock(), *mend_running()]
    faults += find_broken()
    return Diagnosis(mended, faults or [*find_unhashable()], [*find_risks()])


def find_conflicts() -> Iterator[str]:
    """Yield a sentence for each of DVC's files in which a merge has left its marks."""
    for path in (PIPELINE, PARAMS, LOCK):
        content = path.read_bytes() if path.is_file() else b""
        if mark := CONFLICT.search(content):
            line = content.count(b"\n", 0, mark.start()) + 1
            yield (
                f"{path} line {line}: expected no conflict of a merge, got one; edit the file, or take one side of it "
                f"as `git checkout --ours {path}` does."
            )


def find_broken() -> Iterator[str]:
    """Yield a sentence for each of DVC's files, written by people, that is missing or no YAML."""
    for path in (PIPELINE, PARAMS):
        if not path.is_file():
            yield f"{path}: expected a file here, in the repository's own folder, got none."
        elif error := yaml_error(path):
            yield f"{path}{line_of(error)}: expected YAML, got something else: {reason_of(error)}."


def find_unhashable() -> Iterator[str]:
    """Yield a sentence if DVC cannot hash the folder of the source: a name is not in UTF-8, or a link leads nowhere."""
    source = Path(str(lookup(load(), "collect.source")))
    found = walk(source) if source.is_dir() else ()
    for file in (Path(source, folder, name) for folder, names in found for name in names):
        if any("\udc80" <= letter <= "\udcff" for letter in str(file)):
            yield (
                f"{str(file)!r}: expected a name in UTF-8, without which DVC does not go on, got another; "
                f"`convmv -f latin1 -t utf8 -r --notest {source}` renames all that are in Latin-1."
            )
            return
        if not file.exists():
            yield f"{file}: expected a file, got a link to nothing, at which DVC stops; delete it."
            return


def yaml_error(path: Path) -> YAMLError | None:
    """Return why the file is no YAML; None if it is."""
    try:
        YAML(typ="safe").load(path.read_bytes())
    except YAMLError as error:
        return error
    return None


def reason_of(error: YAMLError) -> str:
    """Return what the parser found, and what to do about a colon in brackets, which needs quotes."""
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{reason}; in brackets put quotes around what holds a colon" if "':'" in reason else reason


def mend_lock() -> Iterator[str]:
    """Set a torn dvc.lock aside and put the committed one back; yield a sentence if that was done.

    What steps made since then is in DVC's run cache, and is not made again.
    """
    if not is_cut_off(LOCK, is_lock):
        return
    committed = committed_lock()
    aside = TEMPORARY / f"{LOCK.name}.{time.strftime('%Y-%m-%dT%H-%M-%S')}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    LOCK.replace(aside)
    if committed:
        LOCK.write_text(committed, encoding="utf-8")
    back = "the committed one is back" if committed else "`dvc repro` writes it anew"
    yield f"{LOCK}: was cut off, as a killed DVC leaves it; it is {aside} now, and {back}. Results are in DVC's cache."


def committed_lock() -> str:
    """Return the text of the committed dvc.lock; an empty text if there is none, or none that DVC can read."""
    try:
        text = git("show", f"HEAD:{LOCK}") + "\n"
    except ValueError:
        return ""
    return text if is_lock(text) else ""


def is_lock(content: bytes | str) -> bool:
    """Return whether DVC can read the content of a dvc.lock.

    One that is cut off between two stages is such. DVC makes what is lacking again, or takes it from its run cache.
    """
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # takes half a second

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content))
    except (YAMLError, Invalid, UnicodeDecodeError):
        return False
    return True


def mend_running() -> Iterator[str]:
    """Set a torn table of running commands aside; yield a sentence if that was done. DVC does without it."""
    if not is_cut_off(RUNNING, is_table):
        return
    RUNNING.replace(RUNNING.with_name("rwlock.torn"))
    yield f"{RUNNING}: was cut off, as a killed DVC leaves it; it is {RUNNING}.torn now, and DVC writes it anew."


def is_table(content: bytes) -> bool:
    """Return whether DVC can read the content of its table of running commands."""
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


def is_cut_off(path: Path, is_whole: Callable[[bytes], bool]) -> bool:
    """Return whether a file is there in part, and stays as it is for the time in which a living DVC would write it."""
    while path.is_file():
        content = path.read_bytes()
        if is_whole(content):
            return False
        time.sleep(WRITTEN_S)
        if path.is_file() and path.read_bytes() == content:
            return True
    return False
