"""What a server imports, and MLflow with it: loaded once, in a process from which servers are forked."""

import os
import sys
from collections.abc import Sequence

import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

import lineage_api.commands.serve
import lineage_api.registry.joined  # noqa: F401
from lineage_api.api.schema import executable
from lineage_api.cli import main

executable()


def command(arguments: Sequence[str], folder: str, said: str, complained: str, variables: dict[str, str]) -> None:
    """What `lineage-api` does in a folder, with these arguments and variables; two files get what it says."""
    os.chdir(folder)
    for stream, file in ((sys.stdout, said), (sys.stderr, complained)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream.fileno())
        # As Python does when it starts.
        stream.reconfigure(encoding=variables.get("PYTHONIOENCODING"), errors=stream.errors)
    os.environ.clear()
    os.environ.update(variables)
    main(arguments, prog_name="lineage-api")
