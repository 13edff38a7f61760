import base64

import pytest

from stages.web import secrets
from stages.web.errors import FetchError
from stages.web.secrets import encode_account, hide, hide_in, quote_start, read_key, read_variable

KEY = 'Zq7"w&x/94-mvKp'


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setattr(secrets, "_names", {})
    monkeypatch.setenv("OWN_KEY", KEY)
    return read_key("OWN_KEY")


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY.upper(),
        KEY.lower(),
        'Zq7\\"w&x/94-mvKp',
        'Zq7\\"w&x\\/94-mvKp',
        "Zq7&quot;w&amp;x/94-mvKp",
        "Zq7%22w%26x%2F94-mvKp",
    ],
)
def test_a_key_is_hidden_however_it_is_written(form):
    assert hide(f"before {form} after") == "before [OWN_KEY] after"
    assert "7" not in str(FetchError(f"http://host/{form}", "no JSON", f"got {form}"))


def test_an_account_is_hidden_as_it_is_sent_and_its_name_is_not():
    header = encode_account("shinji", KEY, "OWN_KEY")
    assert header == "Basic " + base64.b64encode(f"shinji:{KEY}".encode()).decode()
    assert hide(f"shinji sent {header}") == "shinji sent Basic [OWN_KEY]"


def test_nothing_of_a_key_is_left_where_an_answer_is_cut():
    content = b"\xff key: " + KEY.encode() + b" and more"
    assert quote_start(content, 10) == repr(b"\xff key: [OW")
    assert quote_start(b"short", 10) == "b'short'"


def test_keys_are_hidden_in_all_parts_of_an_answer():
    answer = {"a": [1, None, {KEY: f"x {KEY}"}], "b": "ä"}
    assert hide_in(answer) == {"a": [1, None, {"[OWN_KEY]": "x [OWN_KEY]"}], "b": "ä"}


def test_letters_that_only_look_like_those_of_a_key_and_numbers_are_left(monkeypatch):
    monkeypatch.setenv("NUMBER_KEY", "12345678")
    monkeypatch.setenv("S_KEY", "sk-abcis1234")
    read_key("NUMBER_KEY"), read_key("S_KEY")
    answer = {"id": 12345678, "size": 5123456789.5, "title": "\u017fk-abc\u0131s1234", "lines": "x\n2345678"}
    assert hide_in(answer) == answer


def test_what_is_no_key_or_too_short_to_be_sure_is_left(monkeypatch):
    monkeypatch.setenv("OWN_LOGIN", "some-long-login")
    assert read_variable("OWN_LOGIN") == "some-long-login"
    monkeypatch.setenv("SHORT_KEY", "cat")
    assert (read_key("SHORT_KEY"), read_key("UNSET_KEY")) == ("cat", "")
    assert hide("a cat of some-long-login") == "a cat of some-long-login"


def test_without_keys_an_answer_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(secrets, "_names", {})
    answer = {"a": 1}
    assert hide_in(answer) == answer
    assert hide(KEY) == KEY
