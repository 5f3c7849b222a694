"""Makes the notebooks of this folder from their text: name.md -> name.ipynb.

    python examples/build.py            writes them
    python examples/build.py --check    fails if one is not as its text says

A block that begins with ```python is a cell of code, whatever language is in it; all
between such blocks is a cell of text.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FOLDER = Path(__file__).parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NO_NOTEBOOKS = {"README.md"}

_CODE = re.compile(r"^```python\n(.*?)\n?^```$\n?", re.DOTALL | re.MULTILINE)


def sources():
    """Return the texts from which notebooks are made."""
    return sorted(p for p in FOLDER.glob("*.md") if p.name not in NO_NOTEBOOKS)


def notebook(text):
    """Return a notebook with the cells of a text, without outputs."""
    cells = []
    # Texts and blocks of code take turns.
    for place, piece in enumerate(_CODE.split(text)):
        if place % 2:
            cells.append(new_code_cell(piece))
        elif piece.strip():
            cells.append(new_markdown_cell(piece.strip()))
    for number, cell in enumerate(cells, start=1):
        cell["id"] = f"cell-{number}"
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def written(source):
    """Return what the notebook's file of a text should hold."""
    return nbformat.writes(notebook(source.read_text("utf-8"))) + "\n"


def main(arguments):
    """Write the notebooks, or name those that are out of date; return the exit code."""
    stale = []
    for source in sources():
        target, content = source.with_suffix(".ipynb"), written(source)
        if not target.exists() or target.read_text("utf-8") != content:
            stale.append(target)
            if "--check" not in arguments:
                target.write_text(content, "utf-8")
    for target in stale:
        print(f"{target.name} {'is' if '--check' in arguments else 'was'} out of date")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
