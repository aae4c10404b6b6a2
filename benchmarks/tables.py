"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.questions import Json


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def digits(value: float) -> str:
    """Three digits that count, and no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(value: float) -> str:
    """A ratio; small ones need more digits."""
    return f"{value:.4f}" if value < 0.1 else digits(value)


def spread(ratios: Json | None) -> str:
    """The median of ratios, and their quartiles."""
    if ratios is None:
        return "-"
    return f"{ratio(ratios['median'])} ({ratio(ratios['q1'])} to {ratio(ratios['q3'])})"
