"""Every statement has its page in docs/sql, and its grammar is the parser's."""

import re

import pytest

from tests.grammar import texts
from tests.sql_pages import DOCS, PAGES, examples, forms, headings, section
from thanosql_server.engine.engine import _PLANNERS
from thanosql_server.sql import clauses, parser
from thanosql_server.sql.nodes import Clause, SelectStatement, Unsupported
from thanosql_server.sql.parser import parse

LINK = re.compile(r"\]\(([^)\s:]+)\)")
LINKED = [
    *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(DOCS.glob("*.md")),
    *PAGES,
]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def statements(page):
    """Return the statements that a page's grammar makes; functions are selected."""
    found = [text for form in forms(page) for text in texts(form)]
    return [f"SELECT {text}" if text[0].islower() else text for text in found]


@pytest.fixture(scope="module")
def parsed():
    """Everything that all grammars make, by text."""
    return {text: parse(text) for page in PAGES for text in statements(page)}


@each_page
def test_a_page_has_a_title_grammar_examples_and_errors(page):
    assert re.match(r"# \S.*\n\n\S", page.read_text(encoding="utf-8"))
    found = [h for h in headings(page) if h in ("Grammar", "Example", "Errors")]
    assert found == ["Grammar", "Example", "Errors"]
    assert examples(page)
    errors = re.findall(r"^\| .* \| .*[0-9A-Z]{5}.* \|$", section(page, "Errors"), re.M)
    assert errors


@each_page
def test_the_parser_takes_every_part_of_a_grammar(page):
    for text in statements(page):
        assert not isinstance(parse(text), Unsupported), text


@each_page
def test_the_parser_takes_the_examples(page):
    for text in examples(page):
        assert not isinstance(parse(text), Unsupported), text


@each_page
def test_the_index_names_every_page(page):
    index = (DOCS / "sql.md").read_text(encoding="utf-8")
    assert f"(sql/{page.name})" in index


def test_every_statement_is_in_a_grammar(parsed):
    kinds = {type(statement) for statement in parsed.values()}
    assert kinds == set(_PLANNERS) - {Unsupported}


def test_every_clause_is_in_a_grammar(parsed):
    queries = [s.query for s in parsed.values() if isinstance(s, SelectStatement)]
    found = {type(clause).__name__ for query in queries for clause in query.clauses}
    assert found == set(Clause.split(" | "))


def test_every_first_word_is_in_a_grammar(parsed):
    refused = (parser._foreign, parser._foreign_pair)
    known = {word for word, read in parser._READERS.items() if read not in refused}
    known -= {
        word
        for word, read in clauses._READERS.items()
        if read is clauses._read_unsupported
    }
    known.remove("TABLE")  # read for DataFusion's sake, which does not serve it yet
    assert {text.split()[0] for text in parsed} == known


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page):
    """Return the anchors that GitHub gives to the headings of a page."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}
