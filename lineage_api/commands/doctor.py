"""The command `doctor`: how a database stands, and what would help. Nothing is changed."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, text

from lineage_api.migrations import recording
from lineage_api.store import convert, indexes, model_index, reconciliation, replica
from lineage_api.store.engines import reading
from lineage_api.store.uris import masked
from lineage_api.store.webhook_tables import webhooks


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at."""

    is_well: bool | None
    """None where it may stay as it is, and something else would be quicker."""
    text: str


def findings(uri: str, read_from: str | None = None) -> list[Finding]:
    """What there is to say of a database that MLflow's tables are in, and of a replica of it."""
    first = Finding(True, f"{masked(uri)} is a store of the MLflow that is installed")
    parts = (_history, _webhooks, _model_files, _journal, _indexes)
    return [first, *_replica(uri, read_from), *(finding for part in parts for finding in part(uri))]


def _replica(uri: str, read_from: str | None) -> Iterator[Finding]:
    if (found := replica.prepared(read_from, uri)) is None:
        return
    if names := replica.missing(found, recording.looked_at(uri).lacking):
        yield Finding(False, f"the read replica {masked(found)} lacks {', '.join(names)}: let it copy them")
    else:
        yield Finding(True, f"the read replica {masked(found)} is at the same revision")


def _history(uri: str) -> Iterator[Finding]:
    state = recording.looked_at(uri)
    if not state.is_on:
        yield Finding(False, "history is not recorded: run `lineage-api db upgrade`, or `serve`")
        return
    since = convert.moment(state.since)
    yield Finding(True, f"history is recorded since {since.isoformat(timespec='seconds') if since else '?'}")
    if state.missing:
        yield Finding(
            False,
            f"{len(state.missing)} triggers are missing ({', '.join(state.missing)}): changes by other tools are found"
            " afterwards only; run `lineage-api db upgrade` as an account that may make triggers",
        )
    else:
        yield Finding(True, "triggers record what any tool changes, as it happens")
    with reading(uri).connect() as connection:
        missing, ended = reconciliation.differences(connection)
    count = len(missing | ended)
    if count:
        yield Finding(False, f"{count} changes are not in the history yet: run `lineage-api db upgrade`, or `serve`")
    else:
        yield Finding(True, "the history is equal to the tables")


def _webhooks(uri: str) -> Iterator[Finding]:
    state = recording.looked_at(uri)
    if state.is_on and not state.has_webhooks:
        yield Finding(False, "there can be no webhooks: run `lineage-api db upgrade`, or `serve`")
        return
    if not state.is_on:
        return
    with reading(uri).connect() as connection:
        rows = connection.execute(select(webhooks).order_by(webhooks.c.id)).all()
    for row in rows:
        if row.disabled_at is not None:
            yield Finding(None, f"the webhook to {row.url} is disabled: {row.disabled_reason or 'by hand'}")
        elif row.failing_since is not None:
            since = convert.recorded(row.failing_since).isoformat(timespec="seconds")
            yield Finding(False, f"the webhook to {row.url} has not been taken since {since}")
    if rows and all(row.disabled_at is None and row.failing_since is None for row in rows):
        yield Finding(True, f"{len(rows)} webhooks are taken by their receivers")


def _model_files(uri: str) -> Iterator[Finding]:
    state = recording.looked_at(uri)
    if state.is_on and not state.has_index:
        yield Finding(False, "model files are not indexed: run `lineage-api db upgrade`, or `serve`")
    elif state.is_on:
        with reading(uri).connect() as connection:
            progress = model_index.progress(connection)
        yield Finding(not progress.unreadable, str(progress))


def _journal(uri: str) -> Iterator[Finding]:
    if not uri.startswith("sqlite"):
        return
    with reading(uri).connect() as connection:
        mode = connection.scalar(text("PRAGMA journal_mode"))
    if mode == "wal":
        yield Finding(True, "the journal mode is WAL: readers and writers don't wait for each other")
    else:
        yield Finding(
            False,
            f"the journal mode is {mode}: a write waits for readers and holds up new ones; with everybody stopped, run"
            " `PRAGMA journal_mode = WAL` once",
        )


def _indexes(uri: str) -> Iterator[Finding]:
    with reading(uri).connect() as connection:
        kind = connection.dialect.name
        missing = indexes.missing(connection) if kind in indexes.KINDS else ()
    if missing:
        yield Finding(
            None,
            "indexes are missing that make questions about a large store quicker: run `lineage-api db upgrade"
            " --with-indexes`, or",
        )
    for index in missing:
        yield Finding(None, f"{index.statement(kind)};  -- for {index.helps}")
    if kind in indexes.KINDS and not missing:
        yield Finding(True, "the indexes are there that make questions about a large store quicker")
