"""The command `watch`: events as they happen, as lines or JSON, and a command run for each of them."""

import asyncio
import os
import shlex
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from lineage_api.commands.following import Event, Place, followed
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable


@dataclass(frozen=True)
class State:
    """A file that remembers the last event that was handled."""

    file: Path

    def read(self) -> str | None:
        """The ID of that event; None before the first one."""
        try:
            return self.file.read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise Unsuitable(f"{self.file} cannot be read as the state of `watch`: {error}") from None

    def write(self, event_id: str) -> None:
        """Remembers an event; whenever this is interrupted, the file holds it or the one before."""
        folder = self.file.absolute().parent
        try:
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.file.name}.")
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(event_id + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.file)
        except OSError as error:
            raise Unsuitable(f"{self.file} cannot be written: {error.strerror}") from None


def watched(
    settings: Settings,
    url: str | None,
    wanted: Mapping[str, Any],
    *,
    after: str | None,
    state: Path | None,
    command: str | None,
    as_json: bool,
) -> None:
    """Prints events until it is stopped; raises Unsuitable where a command fails, to be run again for that event."""
    place, memory = Place(settings, url), State(state) if state else None
    asyncio.run(_watched(place, wanted, after, memory, _words(command), as_json=as_json))


def _words(command: str | None) -> Sequence[str]:
    try:
        words = shlex.split(command or "")
    except ValueError as error:
        raise click.UsageError(f"--exec cannot be read: {error}") from None
    if command is not None and not words:
        raise click.UsageError("--exec needs a command.")
    return words


async def _watched(
    place: Place,
    wanted: Mapping[str, Any],
    after: str | None,
    state: State | None,
    command: Sequence[str],
    *,
    as_json: bool,
) -> None:
    position = after or (state.read() if state else None)
    async with aclosing(followed(place, wanted, position)) as events:
        async for event in _begun(events, state):
            click.echo(orjson.dumps(event).decode() if as_json else line(event))
            if command:
                await _run(command, event)
            if state:
                state.write(event["id"])


async def _begun(events: AsyncGenerator[Event | str, None], state: State | None) -> AsyncGenerator[Event, None]:
    """The events; where they begin is remembered first, so that nothing is missed before the first one."""
    async for each in events:
        if not isinstance(each, str):
            yield each
        elif state:
            state.write(each)


async def _run(command: Sequence[str], event: Event) -> None:
    """Runs a command with an event on its standard input."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    except OSError as error:
        raise Unsuitable(f"{command[0]} cannot be run: {error.strerror}") from None
    await process.communicate(orjson.dumps(event) + b"\n")
    if process.returncode:
        raise Unsuitable(
            f"{command[0]} ended with {process.returncode} for the event {event['id']}, which counts as not handled"
        )


def line(event: Event) -> str:
    """An event as people read it."""
    who = f"  by {event['actor']}" if event["actor"] else ""
    why = f": {event['reason']}" if event["reason"] else ""
    version = "" if event["version"] is None else f" {event['version']}"
    what = _what(event)
    said = f"{event['occurredAt']}  {event['kind']:<19} {event['modelName']}{version}{what}{who}{why}"
    return "".join(character if character.isprintable() else " " for character in said)


def _what(event: Event) -> str:
    match event["kind"]:
        case "STAGE_CHANGED" | "VERSION_RESTORED":
            return f"  {event['fromStage']} → {event['toStage']}"
        case "ALIAS_SET" | "ALIAS_REMOVED":
            return f"  @{event['alias']}"
        case "TAG_SET":
            return f"  {event['key']} = {event['value']}"
        case "TAG_REMOVED":
            return f"  {event['key']}"
        case "MODEL_RENAMED":
            return f"  was {event['previousName']}"
        case _:
            return ""
