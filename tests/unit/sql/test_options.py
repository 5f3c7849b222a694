import pytest

from thanosql_server.errors import InvalidValue, Position, UndefinedObject
from thanosql_server.sql.options import Options, Parameter, bind
from thanosql_server.sql.parser import parse


def options(text):
    return parse(f"BUILD MODEL m USING SimCLR\nOPTIONS({text}) AS SELECT 1").options


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'text'", "text"),
        ('"text"', "text"),
        ("`text`", "text"),
        ("'it''s'", "it's"),
        ("word", "word"),
        ("SimCLR", "SimCLR"),
        ("True", True),
        ("FALSE", False),
        ("none", None),
        ("NULL", None),
        ("'True'", "True"),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("[]", ()),
        ("['a', \"b\", c, 1, [True]]", ("a", "b", "c", 1, (True,))),
        ("?", Parameter(1)),
        ("[?, ?]", (Parameter(1), Parameter(2))),
        ("$3", Parameter(3)),
    ],
)
def test_a_value_is_read_as_written(written, value):
    found = options(f"x={written}")["x"]
    assert found == value
    assert type(found) is type(value)


def test_names_fold_to_lower_case_and_keep_their_order():
    assert list(options("B=1, a = 2,\n C=3")) == ["b", "a", "c"]


def test_no_options_are_an_empty_mapping():
    assert dict(options("")) == {}
    assert dict(parse("BUILD MODEL m USING SimCLR AS SELECT 1").options) == {}


def test_getters_return_the_default_for_what_was_not_written():
    empty = options("")
    assert empty.text("a", "x") == "x"
    assert empty.text("a") is None
    assert empty.texts("a", ("x",)) == ("x",)
    assert empty.integer("a", 3) == 3
    assert empty.number("a", 0.5) == 0.5
    assert empty.flag("a", True) is True


def test_getters_return_what_was_written():
    found = options("t='x', l=['a', 'b'], i=3, n=2, f=True")
    assert found.text("t", "") == "x"
    assert found.texts("t") == ("x",)
    assert found.texts("l") == ("a", "b")
    assert found.integer("i", 0, minimum=3, maximum=3) == 3
    assert found.number("n", 0.0) == 2.0
    assert found.flag("f", False) is True


WRONG = [
    ("x=5", lambda o: o.text("x", ""), "a text in quotes, not 5"),
    ("x=[1]", lambda o: o.texts("x"), "a text in quotes or a list of them, not [1]"),
    ("x='a'", lambda o: o.integer("x", 1), "a whole number, not 'a'"),
    ("x=True", lambda o: o.integer("x", 1), "a whole number, not True"),
    ("x=1.5", lambda o: o.integer("x", 1), "a whole number, not 1.5"),
    (
        "x=0",
        lambda o: o.integer("x", 1, minimum=1),
        "a whole number of at least 1, not 0",
    ),
    (
        "x=9",
        lambda o: o.integer("x", 1, maximum=8),
        "a whole number of at most 8, not 9",
    ),
    ("x=9", lambda o: o.integer("x", 1, 1, 8), "a whole number from 1 to 8, not 9"),
    ("x=None", lambda o: o.number("x", 1.0), "a number, not None"),
    ("x=False", lambda o: o.number("x", 1.0), "a number, not False"),
    ("x=1e999", lambda o: o.number("x", 1.0), "a number, not inf"),
    ("x=-1", lambda o: o.number("x", 1.0, minimum=0), "a number of at least 0, not -1"),
    ("x=1", lambda o: o.flag("x"), "True or False, not 1"),
    ("x='yes'", lambda o: o.flag("x"), "True or False, not 'yes'"),
    (
        "x=?",
        lambda o: o.flag("x"),
        "True or False, not parameter $1 without a value",
    ),
]


@pytest.mark.parametrize(("written", "read", "message"), WRONG)
def test_a_wrong_value_is_named_with_its_place(written, read, message):
    with pytest.raises(InvalidValue) as caught:
        read(options(written))
    assert str(caught.value) == f"option 'x' must be {message} (line 2, column 9)"


def test_unknown_option_names_the_nearest():
    found = options("image_col='a',\n max_epoch=1")
    with pytest.raises(UndefinedObject, match="did you mean 'max_epochs'") as caught:
        found.require_known(["image_col", "max_epochs"], "BUILD MODEL")
    assert caught.value.message.startswith("BUILD MODEL has no option 'max_epoch'")
    assert caught.value.position == Position(3, 2)


def test_an_option_like_no_other_gets_the_list():
    with pytest.raises(UndefinedObject, match="it has: aa, bb"):
        options("zzz=1").require_known(["bb", "aa"], "PRINT")


def test_known_options_are_accepted():
    options("A=1").require_known({"a": 0}, "PRINT")


def test_parameters_are_replaced_by_their_arguments():
    bound = options("a=?, b=[1, ?], c=2").bind(["x", 5])
    assert dict(bound) == {"a": "x", "b": (1, 5), "c": 2}
    assert bound.position("b") == Position(2, 14)


def test_a_missing_argument_is_named():
    with pytest.raises(InvalidValue, match=r"parameter \$2 has no value"):
        bind(Parameter(2), ["x"])


def test_options_with_the_same_values_are_equal_and_hash_alike():
    one, two = options("a=1, b='x'"), options("b='x',  a=1")
    assert one == two
    assert hash(one) == hash(two)
    assert one != Options({}, {})
