"""The examples of docs/driver.md run as they are printed."""

import doctest
import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "driver.md"


def test_the_examples_give_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"```pycon\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == text.count("```pycon")
    parser = doctest.DocTestParser()
    test = parser.get_doctest("\n".join(blocks), {}, "driver.md", str(DOCUMENT), 0)
    told = []
    runner = doctest.DocTestRunner(verbose=False)
    failed, tried = runner.run(test, out=told.append)
    assert failed == 0, "".join(told)
    assert tried >= 15
