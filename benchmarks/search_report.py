"""Figures of benchmarks/search.py: kept as JSON, shown, and held against the bars."""

from __future__ import annotations

import json

import numpy as np

K = 10
KEPT = (", 50 % kept", ", 5 % kept", ", 0.1 % kept")


def summarised(figures, truth):
    """Return figures without the ids found: their recall, and whether k came each."""
    found = {}
    for name, figure in figures.items():
        if isinstance(figure, str):
            found[name] = figure
            continue
        found[name] = {"ms": figure["ms"]}
        if figure["ids"]:
            assert all(len(ids) == K for ids in figure["ids"]), name
        if figure["ids"] and "kept" not in name:
            found[name]["recall"] = recalled(figure["ids"], truth)
    return found


def recalled(found, truth):
    pairs = [(ids, truth[n % len(truth)]) for n, ids in enumerate(found)]
    return float(np.mean([len(set(ids) & set(right)) / K for ids, right in pairs]))


def kept(file):
    """Return the results in a file, by size; none if there is no file."""
    if file is None or not file.exists():
        return {}
    return json.loads(file.read_text("utf-8"))


def keep(results, file):
    if file is not None:
        file.write_text(json.dumps(results, indent=1), "utf-8")


def show(rows, result):
    print(f"\n{rows:,} x 512: ms, median [least .. most]; recall@{K} against float64")
    for name, figure in result["figures"].items():
        if isinstance(figure, str):
            print(f"  {name:34} not measured: {figure}")
            continue
        taken = figure["ms"]
        recall = f"recall {figure['recall']:.3f}" if "recall" in figure else ""
        middle, least, most = np.median(taken), min(taken), max(taken)
        print(f"  {name:34} {middle:8.2f} [{least:7.2f} .. {most:8.2f}]  {recall}")
    print(f"  memory of the server for the searches: {result['memory_mb']:.0f} MB")


def median(result, name):
    figure = result["figures"].get(name)
    return float(np.median(figure["ms"])) if isinstance(figure, dict) else None


def bars(results):
    """Print each bar with what was measured; return whether all hold."""
    sizes = sorted(map(int, results))
    if not sizes:
        print("no results")
        return False
    at = 250_000 if 250_000 in sizes else sizes[-1]
    measured = [*_at(results[str(at)], at), *_growth(results, sizes)]
    if 1_000_000 in sizes:
        gigabytes = results["1000000"]["memory_mb"] / 1e3
        measured.append(("GB for a million rows", gigabytes, 0.6))
    print()
    for name, value, limit in measured:
        held = "ok" if value <= limit else "short"
        print(f"bar {name}: {value:.3f} (limit {limit:g}) {held}")
    return all(value <= limit for _, value, limit in measured)


def _at(result, rows):
    """Yield the bars of one size: a name, what was measured, and the limit."""
    plain = median(result, "numpy, 2 threads")
    alone = median(result, "ours, search alone")
    flight = median(result, "ours, over Flight")
    where = f"at {rows:,} rows"
    yield f"search alone / numpy, {where}", alone / plain, 0.35
    engine = median(result, "ours, in the engine")
    yield f"in the engine / numpy, {where}", engine / plain, 0.35
    for peer, limit in (("pgvector", 0.15), ("duckdb", 0.15), ("lancedb", 0.03)):
        other = median(result, peer)
        if other is not None:
            yield f"over Flight / {peer}, {where}", flight / other, limit
    for share in KEPT:
        filtered = median(result, f"ours, search alone{share}")
        yield f"search alone{share} / all rows, {where}", filtered / alone, 1.0
    many = median(result, "ours, 64 at once, each")
    if many is not None:
        yield f"64 at once, each / alone, {where}", many / alone, 0.5


def _growth(results, sizes):
    """Yield the bar of the time per row at the largest size."""
    if len(sizes) < 2:
        return
    small = 250_000 if 250_000 in sizes[:-1] else sizes[-2]
    per_row = [
        median(results[str(rows)], "ours, search alone") / rows
        for rows in (sizes[-1], small)
    ]
    yield f"ms per row, {sizes[-1]:,} / {small:,}", per_row[0] / per_row[1], 1.2
