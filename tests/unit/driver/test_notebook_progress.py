import io
import sys

import pytest

import thanosql
from thanosql.notebook_progress import ProgressBar, TextBar


def progress(phase, done, total, seconds=1.0):
    return thanosql.Progress(phase, done, total, seconds, f"loss {done}")


def shown(monkeypatch, *steps):
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    with ProgressBar() as bar:
        for step in steps:
            bar.show(step)
        during = output.getvalue()
    return during, output.getvalue()


@pytest.fixture(params=["tqdm", "text"])
def kind(request, monkeypatch):
    if request.param == "text":
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    return request.param


@pytest.mark.usefixtures("kind")
def test_a_bar_is_one_line_that_goes_away(monkeypatch):
    steps = [progress("reading", 5, 0), *(progress("training", i, 8) for i in (2, 4))]
    during, after = shown(monkeypatch, *steps)
    assert "\n" not in after
    for part in ("reading", "training", "25%", "50%", "loss 4"):
        assert part in during
    assert after.rpartition("\r")[2] == ""
    assert after.split("\r")[-2].strip() == ""


@pytest.mark.usefixtures("kind")
def test_short_statements_show_no_bar(monkeypatch):
    _, after = shown(monkeypatch, progress("reading", 1, 2, seconds=0.3))
    assert after == ""


def test_nothing_is_shown_after_the_end(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    bar = ProgressBar()
    bar.close()
    bar.show(progress("reading", 1, 2))
    assert output.getvalue() == ""


def test_a_long_message_does_not_break_the_line(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    bar = TextBar("training", 10)
    bar.set_postfix_str("x" * 200)
    bar.refresh()
    assert len(output.getvalue()) == 79
