"""The command that follows what happens."""

from pathlib import Path
from typing import Any

import click

from lineage_api.cli.options import KINDS, MODELS, STORE, TO_STAGES, wanted
from lineage_api.config import Settings


@click.command()
@STORE
@click.option("--url", help="The address of a server to follow, instead of a database.")
@click.option("--token", envvar="LINEAGE_API_TOKEN", show_envvar=True, help="By which that server knows who asks.")
@MODELS
@KINDS
@TO_STAGES
@click.option("--after", help="Begin after the event of this ID; without it, with what happens from now on.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="A file that remembers the last event.")
@click.option("--exec", "command", help="A command to run for each event, which it gets as JSON on standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one on a line.")
def watch(backend_store_uri: str, url: str | None, token: str | None, as_json: bool, **options: Any) -> None:
    """Print what happens in the registry, as it happens.

    With --exec a command is run for each event, one after the other and not through a shell. When one fails, this ends
    with 2; with --state it begins with that event when it is started again.
    """
    from lineage_api.commands.following import Place
    from lineage_api.commands.watch import watched
    from lineage_api.store.opening import prepared

    filters = wanted(**{name: options.pop(name) for name in ("kinds", "models", "to_stages")})
    uri = backend_store_uri if url else prepared(backend_store_uri, create=False)
    watched(Place(Settings(backend_store_uri=uri), url, token), filters, as_json=as_json, **options)
