"""Pictures as SVG, complete in themselves: nothing in them runs, and nothing is fetched."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate, pairwise

from lineage_api.analysis.labels import called, words
from lineage_api.analysis.layers import Layers, layers
from lineage_api.analysis.picture import Box, Picture

_MOST_CHARACTERS = 40
_CHARACTER = 7.5
_HEIGHT = 44
_BEND = 12
_BETWEEN = 18
_GAP = 120
_MARGIN = 24
_KINDS = {
    "Dataset": ("dataset", "#0969da", 4),
    "Run": ("run", "#8250df", 12),
    "LoggedModel": ("logged model", "#bc4c00", 2),
    "ModelVersion": ("model version", "#1a7f37", 22),
}
_OPENING = """\
<svg xmlns="http://www.w3.org/2000/svg" class="lineage" role="img" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" color="#1f2328" font-family="system-ui, sans-serif" font-size="13">
<title>{title}</title>
<style>
@media (prefers-color-scheme: dark) {{
.lineage {{ color: #e6edf3; }}
.lineage .paper {{ fill: #0d1117; }}
.lineage .halo {{ stroke: #0d1117; }}
}}
</style>
<defs><marker id="lineage-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>
<rect class="paper" width="100%" height="100%" rx="6" fill="#ffffff"/>"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something stands."""

    left: float
    right: float
    middle: float
    """Halfway between top and bottom."""
    clear: float
    """From where on nothing of its layer is in a line's way."""

    @property
    def centre(self) -> float:
        """Halfway between left and right."""
        return (self.left + self.right) / 2


def svg(picture: Picture) -> str:
    """A picture from left to right, in light and in dark colours, as the reader's system has them."""
    indices = {box.key: index for index, box in enumerate(picture.boxes)}
    arranged = layers(len(indices), [(indices[line.source], indices[line.target]) for line in picture.lines])
    places, width, height = _places(picture.boxes, arranged)
    opening = _OPENING.format(title=_title(picture), width=_number(width), height=_number(height))
    ways = [[places[item] for item in way] for way in arranged.ways]
    curves = [_curve(way) for way in ways]
    names = [_name(way, line.kind) for way, line in zip(ways, picture.lines, strict=True)]
    boxes = [_box(box, places[index]) for index, box in enumerate(picture.boxes)]
    return "\n".join([opening, *curves, *boxes, *names, "</svg>", ""])


def _title(picture: Picture) -> str:
    counts = f"{len(picture.boxes)} boxes, {len(picture.lines)} lines"
    return f"Lineage from left to right: {counts}"


def _places(boxes: Sequence[Box], arranged: Layers) -> tuple[dict[int, _Place], float, float]:
    """Where everything stands, and how wide and high the picture is."""
    widths = dict(enumerate(map(_width, boxes)))
    columns = [max((widths.get(item, 0) for item in layer), default=0) for layer in arranged.items]
    lefts = [*accumulate(columns, lambda left, width: left + width + _GAP, initial=float(_MARGIN))]
    heights = [[_HEIGHT if item in widths else _BEND for item in layer] for layer in arranged.items]
    height = max((_taken(layer) for layer in heights), default=0)
    places: dict[int, _Place] = {}
    for layer, left, column, own in zip(arranged.items, lefts, columns, heights, strict=False):
        top = _MARGIN + (height - _taken(own)) / 2
        for item, high in zip(layer, own, strict=True):
            places[item] = _Place(left, left + widths.get(item, column), top + high / 2, left + column)
            top += high + _BETWEEN
    return places, max(lefts[-1] - _GAP, _MARGIN) + _MARGIN, height + 2 * _MARGIN


def _taken(heights: Sequence[int]) -> int:
    """How high a layer of these is, with what is between them."""
    return sum(heights) + _BETWEEN * (len(heights) - 1)


def _width(box: Box) -> float:
    kind, _, _ = _look(box.kind)
    return max(_length(called(box, _MOST_CHARACTERS)), _length(kind) * 0.85) * _CHARACTER + 2 * 14


def _length(text: str) -> int:
    """How many letters of ours a text is as wide as."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _look(kind: str) -> tuple[str, str, int]:
    """What a kind is called, its colour, and how round it is."""
    return _KINDS.get(kind, (kind, "#6e7781", 0))


def _box(box: Box, place: _Place) -> str:
    kind, colour, roundness = _look(box.kind)
    left, top = _number(place.left), _number(place.middle - _HEIGHT / 2)
    at = f'x="{left}" y="{top}" width="{_number(place.right - place.left)}" height="{_HEIGHT}"'
    look = f'rx="{roundness}" fill="{colour}" fill-opacity="0.14" stroke="{colour}"'
    name = _text(called(box, _MOST_CHARACTERS), place.centre, place.middle - 2)
    below = _text(kind, place.centre, place.middle + 14, ' font-size="11" opacity="0.75"')
    return f"<g><title>{escape(called(box), quote=False)}</title>\n<rect {at} {look}/>\n{name}\n{below}\n</g>"


def _text(text: str, centre: float, bottom: float, how: str = "") -> str:
    at = f'x="{_number(centre)}" y="{_number(bottom)}"'
    return f'<text {at} text-anchor="middle" fill="currentColor"{how}>{escape(text, quote=False)}</text>'


def _curve(way: Sequence[_Place]) -> str:
    """A line from box to box, through its bends."""
    path = _back(way[0], way[-1]) if _leads_back(way) else _ahead(way)
    style = 'fill="none" stroke="currentColor" stroke-opacity="0.6"'
    return f'<path d="{path}" {style} marker-end="url(#lineage-arrow)"/>'


def _leads_back(way: Sequence[_Place]) -> bool:
    return way[-1].left <= way[0].left


def _ahead(way: Sequence[_Place]) -> str:
    parts = [f"M{_point(way[0].right, way[0].middle)}"]
    for one, next_ in pairwise(way):
        half = (one.clear + next_.left) / 2
        points = [(half, one.middle), (half, next_.middle), (next_.left, next_.middle)]
        parts.append(f"H{_number(one.clear)}C" + " ".join(_point(*point) for point in points))
    return "".join(parts)


def _back(source: _Place, target: _Place) -> str:
    """From below the one to below the other."""
    begin, end = source.centre + 12, target.centre - 12
    bottoms = source.middle + _HEIGHT / 2, target.middle + _HEIGHT / 2
    low = max(bottoms) + _BETWEEN
    points = [(begin, low), (end, low), (end, bottoms[1])]
    return f"M{_point(begin, bottoms[0])}C" + " ".join(_point(*point) for point in points)


def _name(way: Sequence[_Place], kind: str) -> str:
    """What a line is called, at the middle of its first curve."""
    one, next_ = way[0], way[1]
    centre, middle = (one.clear + next_.left) / 2, (one.middle + next_.middle) / 2
    if _leads_back(way):
        centre = (one.centre + next_.centre) / 2
        middle = max(one.middle, next_.middle) + _HEIGHT / 2 + _BETWEEN
    how = ' font-size="10" class="halo" stroke="#ffffff" stroke-width="3" paint-order="stroke"'
    return _text(words(kind), centre, middle + 3, how)


def _point(x: float, y: float) -> str:
    return f"{_number(x)} {_number(y)}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
