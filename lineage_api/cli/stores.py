"""Commands that look after a database."""

import sys

import click

from lineage_api.cli.options import STORE


@click.group()
def db() -> None:
    """Make the tables and triggers of the history, or take them out again."""


@db.command()
@STORE
@click.option("--with-indexes", is_flag=True, help="Make indexes on MLflow's tables too, which large stores need.")
def upgrade(backend_store_uri: str, with_indexes: bool) -> None:
    """Make our tables and triggers, or what is missing of them, and add what was missed."""
    from lineage_api.migrations import recording
    from lineage_api.store import indexes
    from lineage_api.store.opening import prepared

    # Indexes are for questions, which are asked of served databases alone.
    uri = prepared(backend_store_uri, create=False, is_served=with_indexes)
    state = recording.begin(uri)
    click.echo(f"History is recorded since {_moment(state.since)}; {state.added} events were added.")
    if state.refusal:
        click.echo(f"Changes by other tools are found afterwards only, since triggers are refused: {state.refusal}")
    if with_indexes:
        made = [index.name for index in indexes.make(uri)]
        click.echo(f"Indexes that were made: {', '.join(made) or 'none'}.")


@db.command()
@STORE
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(backend_store_uri: str, yes: bool) -> None:
    """Take all of ours out of the database again, with the whole history."""
    from lineage_api.migrations import recording
    from lineage_api.store import indexes
    from lineage_api.store.opening import prepared
    from lineage_api.store.uris import masked

    uri = prepared(backend_store_uri, create=False, is_served=False)
    if not yes:
        click.confirm(f"Delete the history in {masked(uri)} for good?", abort=True)
    recording.end(uri)
    indexes.remove(uri)
    click.echo("The history is gone; MLflow's tables are as they were.")


_SHOWN = {True: "ok  ", None: "hint", False: "todo"}


@click.command()
@STORE
@click.option(
    "--read-replica-backend-store-uri",
    envvar=["LINEAGE_API_READ_REPLICA_BACKEND_STORE_URI", "MLFLOW_READ_REPLICA_BACKEND_STORE_URI"],
    help="A read-only copy of that database.",
)
def doctor(backend_store_uri: str, read_replica_backend_store_uri: str | None) -> None:
    """Say how far history is recorded, and what would help; exit with 1 when something should be done."""
    from lineage_api.commands.doctor import findings
    from lineage_api.store.opening import prepared

    found = findings(prepared(backend_store_uri, create=False, is_served=False), read_replica_backend_store_uri)
    for finding in found:
        click.echo(f"{_SHOWN[finding.is_well]}  {finding.text}")
    sys.exit(1 if any(finding.is_well is False for finding in found) else 0)


def _moment(milliseconds: int | None) -> str:
    from lineage_api.store.convert import moment

    found = moment(milliseconds)
    return found.isoformat(timespec="seconds") if found else "never"
