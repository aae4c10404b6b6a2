"""Commands about registered models."""

import sys
from pathlib import Path
from typing import Any

import click

from lineage_api.cli.options import STORE


@click.command()
@click.argument("name")
@STORE
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


@click.command()
@click.argument("name")
@click.argument("base")
@click.argument("head")
@STORE
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


@click.command()
@click.argument("name")
@STORE
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
