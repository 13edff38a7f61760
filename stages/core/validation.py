"""The errors of a pydantic model as one line that says where, what was expected and what was given."""

from collections.abc import Callable, Iterable

from pydantic import ValidationError

# What each of pydantic's error types expects, in our words.
EXPECTED = {
    "greater_than": "a number > {gt}",
    "greater_than_equal": "a number >= {ge}",
    "less_than": "a number < {lt}",
    "less_than_equal": "a number <= {le}",
    "literal_error": "{expected}",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "missing": "a value",
    "model_type": "a table of params",
    "too_short": "at least {min_length} of them",
    "union_tag_invalid": "a check of {expected_tags}",
}


def first_problem(
    error: ValidationError, where: Callable[[list[str]], str], keys_of: Callable[[list[str]], Iterable[str]]
) -> str:  # fmt: skip
    """Return the first problem as `<where>: expected <what>, got <value>.`.

    Args:
        error: The error that the model raised.
        where: Returns the text before the colon for the keys that lead to the problem.
        keys_of: Returns the known keys at the place of an unknown key; empty if they are too many to list.
    """
    # A mistyped key gives two errors: the key is unknown, and the right key is missing. The first one says more.
    problem = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    keys, kind, context = [str(key) for key in problem["loc"]], problem["type"], problem.get("ctx", {})
    if kind == "value_error":
        return f"{where(keys)}: {problem['msg'].removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        known = ", ".join(keys_of(keys))
        return f"{where(keys)}: expected {f'one of {known}' if known else 'a known key'}, got {keys[-1]}."
    expected = EXPECTED.get(kind, problem["msg"].removeprefix("Input should be ")).format(**context)
    given = "nothing" if kind == "missing" else context.get("tag") or repr(problem["input"])
    return f"{where(keys)}: expected {expected}, got {given}."
