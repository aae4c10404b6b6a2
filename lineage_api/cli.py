"""The command line: arguments in, exit code out."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lineage_api.config import Settings, every_setting
from lineage_api.errors import Unsuitable


def _settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each of Settings."""
    for setting in reversed(every_setting()):
        option = click.option(
            setting.option,
            envvar=list(setting.variables),
            type=setting.type,
            is_flag=setting.type is bool,
            default=setting.default,
            show_default=setting.default is not None and setting.type is not bool,
            show_envvar=True,
            help=setting.help,
        )
        command = option(command)
    return command


class _Commands(click.Group):
    """Commands whose refusals are a line on standard error and the exit code 2."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except Unsuitable as refusal:
            click.echo(f"lineage-api: {refusal}", err=True)
            context.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="lineage-api")
def main() -> None:
    """A GraphQL API over an MLflow store: where a model came from, and what is safe to do with it."""


@main.command()
@_settings_options
def serve(**options: Any) -> None:
    """Serve the store, at /graphql for programs and browsers alike."""
    from lineage_api.commands.serve import served

    served(Settings(**options))


@main.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("lineage-api-demo"),
    show_default=True,
    help="Where the project is kept.",
)
@click.option("--name", default="nyc-flights-regressor", show_default=True, help="The registered model's name.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, help="The port to listen on.")
def demo(folder: Path, name: str, host: str, port: int) -> None:
    """Make a small real project, four models and their history, and serve it."""
    from lineage_api.commands.serve import served
    from lineage_api.demo import project
    from lineage_api.migrations.recording import begin

    uri = project.make(folder, name, click.echo, prepared=begin)
    settings = replace(Settings(), backend_store_uri=uri, host=host, port=port)
    _show(settings, name)
    served(settings)


def _show(settings: Settings, name: str) -> None:
    """Ask the demo's question, and print it with its answer."""
    import asyncio
    import json

    from lineage_api.app import answered
    from lineage_api.demo.questions import ROLLBACK

    query = ROLLBACK % json.dumps(name)
    answer = asyncio.run(answered(settings, query))
    shown = json.dumps(answer, indent=2, ensure_ascii=False)
    click.echo("\nProduction is slow. What is wrong with it, and what was there before? Paste this into GraphiQL:")
    click.echo(f"\n{query}\n")
    click.echo(f"It answers:\n\n{shown}\n")


@main.command()
def schema() -> None:
    """Print the schema in GraphQL's schema definition language."""
    from lineage_api.api.schema import sdl

    click.echo(sdl(), nl=False)


@main.command()
@click.option("--url", default="http://127.0.0.1:8000", envvar="LINEAGE_API_URL", show_default=True, help="The server.")
def healthcheck(url: str) -> None:
    """Exit with 0 when a server is ready, with 1 when it is not."""
    from http.client import HTTPException
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{url}/readyz", timeout=5) as answer:
            click.echo(answer.read().decode())
    except (OSError, ValueError, HTTPException) as error:
        click.echo(f"{url} is not ready: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


_STORE = click.option(
    "--backend-store-uri",
    default=Settings.backend_store_uri,
    envvar=["LINEAGE_API_BACKEND_STORE_URI", "MLFLOW_BACKEND_STORE_URI"],
    show_default=True,
    help="The database of the MLflow store.",
)


@main.group()
def db() -> None:
    """Make the tables and triggers of the history, or take them out again."""


@db.command()
@_STORE
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
@_STORE
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


@main.command()
@_STORE
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


@main.command()
@click.argument("name")
@_STORE
@click.option("--artifacts-destination", envvar=["LINEAGE_API_ARTIFACTS_DESTINATION", "MLFLOW_ARTIFACTS_DESTINATION"])
@click.option(
    "--stage",
    type=click.Choice(["STAGING", "PRODUCTION"], case_sensitive=False),
    help="The stage to give back; PRODUCTION, unless an alias is named.",
)
@click.option("--alias", help="The alias to give back.")
@click.option("--to", type=int, help="The version to go back to; by default the one that held the place before.")
@click.option("--yes", is_flag=True, help="Do it, after printing the plan.")
@click.option("--reason", help="Why, kept in history; needed with --yes.")
@click.option("--force", is_flag=True, help="Go back even though a check failed.")
@click.option("--actor", help="Who does it; by default the user of this system.")
def rollback(name: str, **options: Any) -> None:
    """Print where a stage or an alias of the registered model NAME would go back to; with --yes, go back."""
    from lineage_api.commands.rollback import asked_for

    if options["yes"] and not options["reason"]:
        raise click.UsageError("--yes needs --reason: history keeps why.")
    if options["stage"] and options["alias"]:
        raise click.UsageError("Give one of --stage and --alias.")
    lines, is_done = asked_for(name, **options)
    click.echo("\n".join(lines))
    sys.exit(0 if is_done else 1)


@main.command()
@click.argument("name")
@click.argument("base")
@click.argument("head")
@_STORE
@click.option("--artifacts-destination", envvar=["LINEAGE_API_ARTIFACTS_DESTINATION", "MLFLOW_ARTIFACTS_DESTINATION"])
def diff(name: str, base: str, head: str, **options: Any) -> None:
    """Print what differs between two versions of the registered model NAME.

    BASE and HEAD are numbers, stages or aliases. The exit code is 0 when they are identical, 1 when something differs
    or is not known, and 2 when one of them is not there.
    """
    from lineage_api.commands.diff import asked_for

    lines, is_identical = asked_for(name, base, head, **options)
    click.echo("\n".join(lines))
    sys.exit(0 if is_identical else 1)


@main.command()
@click.argument("name")
@_STORE
@click.option("--artifacts-destination", envvar=["LINEAGE_API_ARTIFACTS_DESTINATION", "MLFLOW_ARTIFACTS_DESTINATION"])
@click.option(
    "--format",
    "kind",
    type=click.Choice(["mermaid", "dot", "svg"], case_sensitive=False),
    default="mermaid",
    show_default=True,
    help="Text for Mermaid or Graphviz, or a picture for a browser.",
)
@click.option("--version", type=click.IntRange(1, 2**31 - 1), help="Only this version.")
@click.option(
    "--stage",
    type=click.Choice(["NONE", "STAGING", "PRODUCTION", "ARCHIVED"], case_sensitive=False),
    help="Only the versions in this stage.",
)
@click.option("--alias", help="Only the version under this alias.")
@click.option("--depth", type=click.IntRange(1, 20), default=5, show_default=True, help="How many links to walk.")
@click.option(
    "--max-nodes", type=click.IntRange(1, 1000), default=200, show_default=True, help="How many nodes to draw at most."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write to.")
def graph(name: str, output: Path | None, **options: Any) -> None:
    """Draw what the registered model NAME came from and what came of it: its newest versions together, or one."""
    from lineage_api.commands.graph import drawn

    given = [(by, options.pop(by)) for by in ("version", "stage", "alias")]
    chosen = [(by, which) for by, which in given if which is not None]
    if len(chosen) > 1:
        raise click.UsageError("Give one of --version, --stage and --alias.")
    drawing = drawn(name, chosen=chosen[0] if chosen else None, **options)
    if output is None:
        click.echo(drawing.text, nl=False)
    else:
        _write(output, drawing.text)
    for remark in drawing.remarks:
        click.echo(remark, err=True)


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from None


def _moment(milliseconds: int | None) -> str:
    from lineage_api.store.convert import moment

    found = moment(milliseconds)
    return found.isoformat(timespec="seconds") if found else "never"
