"""What the questions cost that the benchmarks ask, however much there is."""

import pytest

from tests.asking import Client

PAIRS = "params {key value} metrics {key value}"
RUN = f"run {{runId name status startedAt {PAIRS}}}"
MADE = f"run {{runId name experiment {{name}} {PAIRS}}}"
BEST = 'filterBy: {experimentIds: ["0"]}, orderBy: [{metric: "rmse", direction: ASC}]'
QUESTIONS = {
    "catalog": (
        f"{{registeredModels(first: 50) {{nodes {{name versions(first: 5) {{nodes {{version stage {MADE}}}}}}}}}}}",
        6,
    ),
    "rollback": (
        f'{{registeredModel(name: "a") {{name versions(first: 10) {{nodes {{version stage artifactUri {RUN}}}}}}}}}',
        5,
    ),
    "comparison": (
        f"{{runs({BEST}, first: 100) {{nodes {{runId name duration {PAIRS} tags {{key value}}}}}}}}",
        4,
    ),
    "point": ('{run(runId: "%s") {runId name status}}', 1),
}


@pytest.mark.parametrize("settings", [{"backend": "rows"}, {}], ids=["rows", "best"])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_statements_of_a_question(
    store, client: Client, statements: list[str], settings: dict[str, str], question: str
) -> None:
    """The catalog takes six, and the others fewer; PostgreSQL, left to itself, answers each with one."""
    for name in ("a", "b"):
        store.registered_model(name)
        for _ in range(2):
            run = store.run("0", params={"depth": 3}, metrics={"rmse": 1.5})
            store.version(name, run_id=run)
    query, cost = QUESTIONS[question]

    answer = await client.ask(query % run if "%s" in query else query)

    assert None not in answer.values()
    assert len(statements) == (1 if store.kind == "postgresql" and not settings else cost)
