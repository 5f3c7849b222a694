"""Draws what benchmarks/search.py measured: time against rows, for all systems.

    python benchmarks/search_chart.py RESULTS.json CHART.png

Runs in the environment of search_requirements.txt, which has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

LINES = {
    "ours, over Flight": ("ThanoSQL, SQL over Flight", "C3", "-"),
    "ours, search alone": ("ThanoSQL, search alone", "C3", ":"),
    "numpy, 2 threads": ("numpy, float32", "0.4", "--"),
    "faiss": ("faiss, flat (1 query)", "C0", "--"),
    "pgvector": ("pgvector, sequential scan", "C1", "-"),
    "duckdb": ("DuckDB", "C2", "-"),
    "sqlite-vec": ("sqlite-vec", "C4", "-"),
    "chdb": ("ClickHouse (chdb)", "C5", "-"),
    "lancedb": ("LanceDB, flat", "C6", "-"),
}


def main():
    source, target = map(Path, sys.argv[1:])
    results = json.loads(source.read_text("utf-8"))
    figure, axes = plt.subplots(figsize=(8, 5.5), dpi=120)
    for name, (label, colour, style) in LINES.items():
        points = {
            int(rows): result["figures"][name]["ms"]
            for rows, result in results.items()
            if isinstance(result["figures"].get(name), dict)
        }
        if not points:
            continue
        sizes = sorted(points)
        middle = [np.median(points[rows]) for rows in sizes]
        low = [np.quantile(points[rows], 0.25) for rows in sizes]
        high = [np.quantile(points[rows], 0.75) for rows in sizes]
        axes.plot(sizes, middle, style, color=colour, marker="o", label=label)
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="rows of 512 float32 numbers",
        ylabel="ms per query: median, and middle half",
        title="Exact top-10 by similarity on two cores, one query at a time",
    )
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(target, metadata={"Software": None})


if __name__ == "__main__":
    main()
