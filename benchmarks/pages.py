"""Deep pages: the first, the middle and the last page of long lists, by a cursor and by hand with OFFSET."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from sqlalchemy import create_engine, text

from benchmarks.equality import same
from benchmarks.questions import PAGES, Json, Question
from benchmarks.servers import LINEAGE_API, Server
from benchmarks.tables import digits, table

PAGE = 100
HOP = 50_000
"""How many rows are passed over at once on the way to a cursor."""
PLACES = {"first": 0.0, "middle": 0.5, "last": 1.0}
ROWS = {
    "page_of_experiment": "SELECT COUNT(*) FROM runs WHERE experiment_id = 1 AND lifecycle_stage = 'active'",
    "page_of_runs": "SELECT COUNT(*) FROM runs WHERE lifecycle_stage = 'active'",
    "page_of_versions": "SELECT COUNT(*) FROM model_versions WHERE name LIKE 'model-%'"
    " AND current_stage <> 'Deleted_Internal'",
}


def measured(servers: Sequence[Server], uri: str, rounds: int) -> Json:
    """Milliseconds of each page; servers take turns, pages too."""
    servers = [server for server in servers if server.name in ("hand", LINEAGE_API)]
    ours = next(server for server in servers if server.name == LINEAGE_API)
    engine = create_engine(uri)
    with engine.connect() as database:
        counts = {name: database.execute(text(sql)).scalar_one() for name, sql in ROWS.items()}
    engine.dispose()
    result: Json = {}
    for question in PAGES:
        offsets = {place: _offset(counts[question.name], part) for place, part in PLACES.items()}
        variables = {place: _variables(ours, question, offset) for place, offset in offsets.items()}
        times: Json = {server.name: {place: [] for place in offsets} for server in servers}
        for some in variables.values():
            expected = servers[0].data(question, some)
            for server in servers[1:]:
                same(servers[0], expected, server, question, some)
        for turn in range(rounds * question.requests):
            for place, some in variables.items():
                for server in servers if turn % 2 else reversed(servers):
                    times[server.name][place].append(server.ask(question, some)[0])
        medians = {
            name: {place: statistics.median(values) for place, values in some.items()} for name, some in times.items()
        }
        result[question.name] = {"rows": counts[question.name], "offsets": offsets, "ms": medians}
    return result


def _offset(count: int, part: float) -> int:
    """Where a page begins that lies so far into a list."""
    return max(0, int((count - PAGE) * part))


def _variables(server: Server, question: Question, offset: int) -> Json:
    """The page behind so many rows, by its cursor and by their number."""
    variables: Json = {"experiment": "1", "after": None, "offset": offset}
    while offset:
        first = min(offset, HOP)
        data = server.data(question, {**variables, "first": first, "isCursor": True})
        while "pageInfo" not in data:
            [data] = data.values()
        variables["after"] = data["pageInfo"]["endCursor"]
        offset -= first
    return variables


def shown(result: Json) -> str:
    """A table of Markdown."""
    rows = []
    for question, one in result.items():
        for name, ms in one["ms"].items():
            how = "by cursor" if name == LINEAGE_API else "with OFFSET"
            times = [digits(ms[place]) for place in PLACES]
            rows.append([question.replace("_", " "), f"{one['rows']:,}", f"{name}, {how}", *times])
            rows[-1].append(digits(ms["last"] / ms["first"]))
    return table(["page of 100", "rows", "", *(f"{place}, ms" for place in PLACES), "last ÷ first"], rows)
