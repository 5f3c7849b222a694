"""The settings of a session: names, types and bounds."""

from __future__ import annotations

import pytest

from thanosql_server.errors import InvalidValue, NotSupported, UndefinedObject
from thanosql_server.settings import SETTINGS, Setting, Settings, shown


def test_a_new_session_has_the_defaults():
    settings = Settings()
    assert {name: settings[name] for name in SETTINGS} == {
        name: setting.default for name, setting in SETTINGS.items()
    }


def test_a_value_is_kept_until_it_is_reset():
    settings = Settings()
    settings.set("HNSW.ef_search", 40)
    assert settings.integer("hnsw.ef_search") == 40
    settings.reset("hnsw.ef_search")
    assert settings["hnsw.ef_search"] == SETTINGS["hnsw.ef_search"].default


def test_sessions_do_not_share_values():
    one, other = Settings(), Settings()
    one.set("hnsw.ef_search", 40)
    assert other.integer("hnsw.ef_search") != 40


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UndefinedObject, match=r"'hnsw\.ef_search'"):
        Settings().set("hnsw.ef_serch", 40)


@pytest.mark.parametrize(
    ("default", "limits", "wrong", "sentence"),
    [
        (128, {"minimum": 1, "maximum": 10}, 0, "a whole number from 1 to 10, not 0"),
        (128, {"minimum": 1, "maximum": 10}, 11, "a whole number from 1 to 10"),
        (128, {"minimum": 1}, "4x", "a whole number of at least 1, not '4x'"),
        (128, {"minimum": 1}, "0", "a whole number of at least 1, not 0"),
        (128, {}, "1.5", "a whole number, not '1.5'"),
        (0.0, {"unit": "s"}, "5 days", "or a number of seconds, not '5 days'"),
        (0.0, {"unit": "s", "minimum": 0}, "-5s", "not '-5s'"),
        (0.0, {"unit": "s", "minimum": 0}, -5, "of at least 0, not -5"),
        (0.5, {}, "nan", "a number, not nan"),
        (0.5, {}, "inf", "a number, not inf"),
        (128, {}, 1.5, "a whole number, not 1.5"),
        (128, {}, True, "a whole number, not True"),
        (0.5, {}, "x", "a number, not 'x'"),
        (True, {}, 1, "true or false, not 1"),
        ("auto", {"choices": ("auto", "off")}, "on", "one of 'auto', 'off', not 'on'"),
        ("auto", {}, 1, "a text in quotes, not 1"),
    ],
)
def test_a_wrong_value_is_refused(default, limits, wrong, sentence):
    with pytest.raises(InvalidValue, match=sentence):
        Setting("name", default, "What it does.", **limits).checked(wrong)


@pytest.mark.parametrize(
    ("default", "value"), [(1, 5), (0.5, 1), (0.5, 2.5), (False, True), ("a", "b")]
)
def test_a_right_value_is_returned(default, value):
    assert Setting("name", default, "What it does.").checked(value) == value


@pytest.mark.parametrize(
    ("default", "unit", "text", "value"),
    [
        (0.0, "s", "30s", 30),
        (0.0, "s", "500ms", 0.5),
        (0.0, "s", " 1.5 min ", 90),
        (0.0, "s", "2H", 7200),
        (0.0, "s", "30", 30),
        (0.0, "s", "0", 0),
        (128, "", "40", 40),
        (0.5, "", "1e3", 1000),
        (False, "", "on", True),
        (True, "", "No", False),
        ("auto", "", "40", "40"),
    ],
)
def test_a_text_is_read_as_the_type_of_the_setting(default, unit, text, value):
    assert Setting("name", default, "What it does.", unit=unit).checked(text) == value


def test_what_keeps_a_value_may_refuse_it():
    seen = []

    def refuse(settings):
        seen.append(settings)
        raise NotSupported("there is no session")

    settings = Settings(refuse)
    with pytest.raises(NotSupported):
        settings.set("statement_timeout", 5)
    assert seen == [settings]
    assert not settings.changed
    settings.reset()


def test_values_are_shown_as_they_are_set():
    assert [shown(value) for value in (True, 40, 0.5, 30.0, "a")] == [
        "true",
        "40",
        "0.5",
        "30",
        "a",
    ]
