"""Commands about tokens."""

import click

_TOKENS = click.option(
    "--tokens",
    envvar="LINEAGE_API_TOKENS",
    required=True,
    show_envvar=True,
    help="The file in which they are kept.",
)
_NAME = click.argument("name")


@click.group()
def token() -> None:
    """Make the tokens by which callers are known, or revoke them."""


@token.command()
@_NAME
@click.option(
    "--role",
    type=click.Choice(["reader", "editor", "manager"], case_sensitive=False),
    required=True,
    help="What it may be used for: to read; also to register, describe and tag; everything.",
)
@click.option("--expires", help="When it expires: in so long, such as 90d or 12h, or at a date, such as 2030-01-31.")
@_TOKENS
def create(name: str, role: str, expires: str | None, tokens: str) -> None:
    """Make a token for NAME and print it, once: only its hash is kept."""
    from lineage_api.commands import tokens as commands

    kept, secret = commands.create(tokens, name, role, expires)
    click.echo(secret)
    click.echo(f"{commands.shown(kept)}. It is shown only now.", err=True)


@token.command("list")
@_TOKENS
def list_(tokens: str) -> None:
    """Print whose tokens there are, what they may do, and until when."""
    from lineage_api.commands import tokens as commands
    from lineage_api.commands.printing import say

    every = commands.every(tokens)
    for each in every:
        say(commands.shown(each))
    if not every:
        click.echo("There are no tokens.", err=True)


@token.command()
@_NAME
@_TOKENS
def revoke(name: str, tokens: str) -> None:
    """Have the token of NAME let nobody in any more; a server that runs notices within seconds."""
    from lineage_api.commands import tokens as commands

    commands.revoke(tokens, name)
    click.echo("The token is revoked.")
