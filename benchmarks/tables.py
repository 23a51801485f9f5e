"""Shows figures: as one table for people, or as one JSON object. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Figure

Results = Mapping[str, Sequence[Figure]]
"""Figures by benchmark."""


def print_table(results: Results) -> None:
    """Print one table; wide enough for its longest line where the output is no terminal."""
    table = Table(
        "benchmark", "figure", "median", "min – max", "unit", "rounds", "bound", "", title_justify="left"
    )
    for column in (2, 3, 5):
        table.columns[column].justify = "right"
    for benchmark, figures in results.items():
        for number, figure in enumerate(figures):
            spread = figure.spread
            table.add_row(
                "" if number else benchmark,
                figure.name,
                _number(spread.median),
                f"{_number(spread.least)} – {_number(spread.most)}",
                figure.unit or "×",
                str(spread.rounds),
                str(figure.bound or ""),
                figure.verdict,
            )
        table.add_section()
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def as_json(results: Results) -> str:
    """Return one JSON object: a list of figures by benchmark."""
    document = {
        benchmark: [
            {
                "figure": figure.name,
                "unit": figure.unit or "ratio",
                "median": figure.spread.median,
                "min": figure.spread.least,
                "max": figure.spread.most,
                "rounds": figure.spread.rounds,
                **({"bound": str(figure.bound), "verdict": figure.verdict} if figure.bound else {}),
            }
            for figure in figures
        ]
        for benchmark, figures in results.items()
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
