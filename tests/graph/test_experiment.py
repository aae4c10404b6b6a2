"""Experiments, and what they lead to."""


async def test_the_runs_of_many_experiments(store, client, statements):
    """However many experiments are asked about, their runs cost one statement."""
    for name in ("a", "b"):
        store.experiment(name, runs=["first", "second"])

    answer = await client.ask("{ experiments { nodes { name runs(first: 1) { nodes { name } } } } }")

    assert answer == {
        "experiments": {
            "nodes": [
                {"name": "Default", "runs": {"nodes": []}},
                {"name": "a", "runs": {"nodes": [{"name": "second"}]}},
                {"name": "b", "runs": {"nodes": [{"name": "second"}]}},
            ]
        }
    }
    assert len(statements) == 2
