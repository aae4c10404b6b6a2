"""One of many who change the same registered model: `python -m tests.faults.racer HOW WHERE`.

It takes a line of JSON for each change on standard input and answers each with one on standard output: the errors that
it was refused with. HOW is `api` (WHERE is a server's address) or `mlflow` (WHERE is the URI of the store).
"""

import json
import sys
import warnings
from typing import Any

DOCUMENT = """mutation ($input: TransitionModelVersionInput!) {
  transitionModelVersion(input: $input) { modelVersion { version } errors { __typename message } }
}"""


def by_api(address: str) -> Any:
    """Moves a version by a server of ours."""
    import httpx

    client = httpx.Client(timeout=60)

    def change(wanted: dict[str, Any]) -> list[str]:
        body = {"query": DOCUMENT, "variables": {"input": wanted}}
        answer = client.post(f"{address}/graphql", json=body).json()
        if "errors" in answer:
            return [json.dumps(answer["errors"])]
        return [error["__typename"] for error in answer["data"]["transitionModelVersion"]["errors"]]

    return change


def by_mlflow(uri: str) -> Any:
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


def main() -> None:
    """Answers until its input ends."""
    warnings.simplefilter("ignore")
    how, where = sys.argv[1:]
    change = {"api": by_api, "mlflow": by_mlflow}[how](where)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(change(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
