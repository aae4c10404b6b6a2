"""Commands that serve a store, and those around it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lineage_api.config import Settings, every_setting


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


@click.command()
@_settings_options
def serve(**options: Any) -> None:
    """Serve the store, at /graphql for programs and browsers alike."""
    from lineage_api.commands.serve import served

    served(Settings(**options))


@click.command()
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


@click.command()
def schema() -> None:
    """Print the schema in GraphQL's schema definition language."""
    from lineage_api.api.schema import sdl

    click.echo(sdl(), nl=False)


@click.command()
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
