"""The command `watch`: events as they happen, as lines or JSON, and a command run for each of them."""

import asyncio
import logging
import os
import re
import shlex
import shutil
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from lineage_api.commands.following import Event, Misplaced, Place, followed
from lineage_api.commands.printing import cut, printable, say, say_json
from lineage_api.errors import Unsuitable


@dataclass(frozen=True)
class State:
    """A file that remembers the last event that was handled."""

    file: Path

    @property
    def _new(self) -> Path:
        """What is written before it takes the file's place; what is left of one is overwritten by the next."""
        file = self.file.resolve()
        return file.with_name(f".{file.name}.new")

    def read(self) -> str | None:
        """The ID of that event; None before the first one. Raises Unsuitable where the file is not such a one."""
        try:
            if self.file.exists() and not self.file.is_file():
                raise Unsuitable(f"{self.file} is no file")
            known = self.file.read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unsuitable(f"{self.file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            known = ""
        if known is not None and not re.fullmatch(r"[\w-]+", known):
            raise Unsuitable(f"{self.file} holds something else than the ID of an event: name another file")
        return known

    def require_writable(self) -> None:
        """Raises Unsuitable where nothing could be remembered."""
        try:
            self._new.touch()
            self._new.unlink()
        except OSError as error:
            raise self._unwritable(error) from None

    def write(self, event_id: str) -> None:
        """Remembers an event; whenever this is interrupted, the file holds it or the one before."""
        try:
            with self._new.open("w", encoding="ascii") as file:
                file.write(event_id + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._new.replace(self.file.resolve())
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> Unsuitable:
        return Unsuitable(f"{self.file} cannot be written: {error.strerror}")


def watched(
    place: Place,
    wanted: Mapping[str, Any],
    *,
    after: str | None,
    state: Path | None,
    command: str | None,
    as_json: bool,
) -> None:
    """Prints events until it is stopped; raises Unsuitable where a command fails, to be run again for that event."""
    words, memory = _words(command), State(state) if state else None
    remembered = memory.read() if memory else None
    if memory:
        memory.require_writable()
    if after and remembered:
        raise click.UsageError("--state knows where it was; leave out --after, or remove the file.")
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        try:
            asyncio.run(_watched(place, wanted, after or remembered, memory, words, as_json=as_json))
        except Misplaced as refusal:
            raise Unsuitable(f"{state} is of another store: {refusal}" if remembered else str(refusal)) from None


def _words(command: str | None) -> Sequence[str]:
    """The words of a command, whose first one can be run; none, where there is no command."""
    if command is None:
        return ()
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Unsuitable(f"--exec cannot be read: {error}") from None
    if not words:
        raise Unsuitable("--exec needs a command")
    if shutil.which(words[0]) is None:
        raise Unsuitable(f"{words[0]} cannot be run: there is no such command")
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
    _end_when_told()
    async with aclosing(followed(place, wanted, after)) as events:
        async for event in _begun(events, state):
            say_json(orjson.dumps(event).decode()) if as_json else say(line(event))
            if command:
                await _run(command, event)
            if state:
                state.write(event["id"])


def _end_when_told() -> None:
    """Has SIGTERM and Ctrl-C end this without a word; the second time it does not wait for the command that runs."""
    task = asyncio.current_task()
    assert task is not None

    def end() -> None:
        logging.getLogger("psycopg").setLevel(logging.ERROR)  # it complains of queries that are cut off
        task.cancel()

    with suppress(NotImplementedError):  # Windows has none, and Ctrl-C raises KeyboardInterrupt there
        for told in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(told, end)


async def _begun(events: AsyncGenerator[Event | str, None], state: State | None) -> AsyncGenerator[Event, None]:
    """The events; where they begin is remembered first, so that nothing is missed before the first one."""
    async for each in events:
        if not isinstance(each, str):
            yield each
        elif state:
            state.write(each)


async def _run(command: Sequence[str], event: Event) -> None:
    """Runs a command with an event on its standard input; it does not outlive this."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    except OSError as error:
        raise Unsuitable(f"{command[0]} cannot be run: {error.strerror}") from None
    try:
        await process.communicate(orjson.dumps(event) + b"\n")
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if code := process.returncode:
        how = f"with {code}" if code > 0 else f"by signal {-code}"
        raise Unsuitable(f"{command[0]} ended {how} for the event {event['id']}, which counts as not handled")


def line(event: Event) -> str:
    """An event as people read it."""
    who = f"  by {event['actor']}" if event["actor"] else ""
    why = f": {cut(event['reason'])}" if event["reason"] else ""
    version = "" if event["version"] is None else f" {event['version']}"
    return printable(
        f"{event['occurredAt']}  {event['kind']:<19} {event['modelName']}{version}{_what(event)}{who}{why}"
    )


def _what(event: Event) -> str:
    match event["kind"]:
        case "STAGE_CHANGED":
            return f"  {event['fromStage']} → {event['toStage']}"
        case "VERSION_RESTORED":
            return f"  → {event['toStage']}"
        case "ALIAS_SET":
            was = event["previousVersion"]
            return f"  @{event['alias']}" + ("" if was is None else f" (was {was})")
        case "ALIAS_REMOVED":
            return f"  @{event['alias']}"
        case "TAG_SET":
            return f"  {event['key']} = {cut(event['value'])}"
        case "TAG_REMOVED":
            return f"  {event['key']}"
        case "MODEL_RENAMED":
            return f"  was {event['previousName']}"
        case "DESCRIPTION_CHANGED":
            return f"  {cut(event['value'] or '') or '(taken away)'}"
        case _:
            return ""
