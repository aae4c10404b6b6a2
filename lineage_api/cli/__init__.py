"""The command line: arguments in, exit code out."""

from typing import Any

import click

from lineage_api.cli.events import watch
from lineage_api.cli.models import diff, graph, rollback
from lineage_api.cli.serving import demo, healthcheck, schema, serve
from lineage_api.cli.stores import db, doctor
from lineage_api.cli.tokens import token
from lineage_api.cli.webhooks import webhook
from lineage_api.errors import Unsuitable


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


for _command in (serve, demo, schema, healthcheck, db, doctor, rollback, diff, graph, watch, webhook, token):
    main.add_command(_command)
