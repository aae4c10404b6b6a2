"""Requests that Schemathesis makes of the schema that a server shows."""

import time
from random import Random
from typing import Any

import schemathesis
from graphql import StringValueNode
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.graphql import nodes
from schemathesis.graphql.checks import GraphQLServerError

from tests.fuzzing import checks
from tests.fuzzing.failures import Failures
from tests.fuzzing.outcome import Outcome
from tests.fuzzing.target import Target
from tests.fuzzing.wire import PATIENCE_S

_MOMENTS = ["2020-01-01T00:00:00Z", "1970-01-01T00:00:02+00:00", "9999-12-31T23:59:59Z", "nonsense", ""]


def _know_scalars() -> None:
    """Says to Schemathesis what our scalars are."""
    moment = st.sampled_from(_MOMENTS).map(lambda text: StringValueNode(value=text))
    schemathesis.graphql.scalar("DateTime", moment)
    schemathesis.graphql.scalar("BigInt", st.integers(-(2**63), 2**63).map(nodes.Int))
    schemathesis.graphql.scalar("JSON", st.text().map(nodes.String))


def fuzzed(target: Target, examples: int, seed: int) -> Outcome:
    """What is wrong with the answers to so many requests."""
    _know_scalars()
    chance = Random(seed)
    caller = {"authorization": target.caller(chance)}
    schema = schemathesis.graphql.from_url(f"{target.address}/graphql", headers=caller, timeout=PATIENCE_S)
    outcome = Outcome(Failures(target.log))
    start = time.monotonic()

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema.as_strategy())
    def ask(case: Any) -> None:
        response = case.call(headers={"authorization": target.caller(chance)}, timeout=PATIENCE_S)
        outcome.statuses[_came_of(response)] += 1
        wrong = _wrong(case, response)
        if wrong:
            which = f"example {sum(outcome.statuses.values())} of seed {seed}"
            outcome.failures.add(which, wrong, case.as_curl_command(), response.text[:1000])

    ask()
    outcome.seconds = time.monotonic() - start
    return outcome


def _came_of(response: Any) -> str:
    """How far a request came: its status, and whether it was answered with data."""
    return f"{response.status_code} {'data' if 'data' in response.json() else 'refused'}"


def _wrong(case: Any, response: Any) -> list[str]:
    headers = {name.lower(): ", ".join(values) for name, values in response.headers.items()}
    # What is decompressed by now is not to be so again.
    answer = checks.Answer(response.status_code, headers | {"content-encoding": "identity"}, response.content)
    wrong = checks.faults(answer, str(case.body))
    try:
        case.validate_response(response, checks=[not_a_server_error])
    except FailureGroup as group:
        # Schemathesis takes every error of a field for the server's; whose it is, our check knows by its code.
        wrong += [str(failure) for failure in group.exceptions if not isinstance(failure, GraphQLServerError)]
    return wrong
