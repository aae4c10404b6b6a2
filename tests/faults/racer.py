"""Those who change the same registered model, each in a process of its own."""

import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

Change = Callable[[dict[str, Any]], list[str]]
"""Moves a version; gives the errors that this was refused with."""

DOCUMENT = """mutation ($input: TransitionModelVersionInput!) {
  transitionModelVersion(input: $input) { modelVersion { version } errors { __typename message } }
}"""


def by_api(address: str) -> Change:
    """Moves a version by a server of ours."""
    import httpx

    client = httpx.Client(timeout=60)

    def change(wanted: dict[str, Any]) -> list[str]:
        body = {"query": DOCUMENT, "variables": {"input": wanted}}
        answer = client.post(f"{address}/graphql", json=body).json()
        if "errors" in answer:
            return [str(answer["errors"])]
        return [error["__typename"] for error in answer["data"]["transitionModelVersion"]["errors"]]

    return change


def by_mlflow(uri: str) -> Change:
    """Moves a version by MLflow's own client, straight on the database."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)

    def change(wanted: dict[str, Any]) -> list[str]:
        try:
            client.transition_model_version_stage(wanted["model"], wanted["version"], "Production", True)
        except Exception as error:
            return [f"MLflow: {type(error).__name__}"]
        return []

    return change


def race(how: Callable[[str], Change], where: str, pipe: Connection) -> None:
    """Makes each change that comes through a pipe, and sends its errors back, until the other end is closed."""
    warnings.simplefilter("ignore")
    change = how(where)
    pipe.send("ready")
    while True:
        try:
            wanted = pipe.recv()
        except EOFError:
            return
        pipe.send(change(wanted))
