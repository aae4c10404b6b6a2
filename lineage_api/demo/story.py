"""What the team did with its models: which it registered, what it promised, which it put into Production."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

ABOUT = (
    "How many minutes a flight from New York will be in the air. Asked by the departure boards, which answer a "
    "traveller while the page loads: so an answer has to be right and quick, and the model has to fit beside others."
)
TEAM = {"team": "departures", "task": "regression", "target": "air_time", "unit": "minutes"}


@dataclass(frozen=True)
class Release:
    """A version and what became of it."""

    description: str
    tags: Mapping[str, str]
    is_promoted: bool
    incident: Mapping[str, str] = field(default_factory=dict)
    """What was noted on it when it made trouble in Production."""


RELEASES = [
    Release(
        "The baseline: linear in the distance, with an offset for each airport and airline.",
        {"validated_by": "ana", "risk": "low", "change": "DEP-101"},
        is_promoted=True,
    ),
    Release(
        "A tree of depth eight: sees how route, airline and season act together. Better than the baseline, and small.",
        {"validated_by": "ana", "risk": "low", "change": "DEP-117"},
        is_promoted=True,
    ),
    Release(
        "A forest of sixty full trees. Clearly better on the test flights; size and speed were not looked at.",
        {"validated_by": "ben", "risk": "medium", "change": "DEP-130"},
        is_promoted=True,
        incident={
            "incident": "INC-7",
            "incident_summary": "Departure boards time out while they load it: hundreds of times as big as version 2.",
        },
    ),
    Release(
        "Boosted trees: the best on the test flights, and a fraction of the forest's size. Waits for its validation.",
        {"risk": "medium", "change": "DEP-142"},
        is_promoted=False,
    ),
]


def register(client: Any, name: str) -> None:
    """Makes the registered model, still without versions."""
    client.create_registered_model(name, tags=TEAM, description=ABOUT)


def release(client: Any, name: str, version: int, told: Release) -> None:
    """Takes a new version as far as the team took it: to Staging as the challenger, then perhaps to Production."""
    client.update_model_version(name, version, told.description)
    for key, value in told.tags.items():
        client.set_model_version_tag(name, version, key, value)
    with _stages():
        client.transition_model_version_stage(name, version, "Staging")
        client.set_registered_model_alias(name, "challenger", version)
        if told.is_promoted:
            client.transition_model_version_stage(name, version, "Production", archive_existing_versions=True)
            client.set_registered_model_alias(name, "champion", version)
            client.delete_registered_model_alias(name, "challenger")
    for key, value in told.incident.items():
        client.set_model_version_tag(name, version, key, value)


@contextmanager
def _stages() -> Iterator[None]:
    """MLflow calls stages deprecated with each use; they work, and are what many teams still have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*stage.*", FutureWarning)
        yield
