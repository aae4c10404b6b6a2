"""The README's examples, run on the demo's store, and what it says of settings and commands."""

import json
import re
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from lineage_api.api.executor import Question
from lineage_api.app import answered, create_app
from lineage_api.cli import main
from lineage_api.config import Settings, every_setting
from lineage_api.demo import project
from lineage_api.migrations.recording import begin

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```graphql\n(.*?)```\n\n```json\n(.*?)```", README, re.DOTALL)
NAMES = [re.findall(r"(?:query|mutation|subscription) (\w+)", query)[0] for query, _ in EXAMPLES]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of the demo's store."""
    return project.make(tmp_path_factory.mktemp("readme") / "demo", prepared=begin)


@pytest.mark.parametrize(("query", "answer"), EXAMPLES, ids=NAMES)
async def test_an_example_answers_as_written(demo: str, query: str, answer: str) -> None:
    """Numbers and versions may differ from machine to machine, by a little."""
    settings = Settings(backend_store_uri=demo)
    found = await (told(settings, query) if query.startswith("subscription") else answered(settings, query))
    assert_alike(found, json.loads(answer))


async def told(settings: Settings, query: str) -> Any:
    """What a subscription says of the first event that it tells of."""
    app = create_app(settings)
    async with app.router.lifespan_context(app), aclosing(app.state.executor.answers(Question(query))) as answers:
        return json.loads((await anext(answers)).json)["data"]


def test_the_picture_is_drawn_as_written(demo: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command that is named beside it, after Production has gone back; but for the digests of the data."""
    [written] = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    with pytest.raises(SystemExit):
        main(["graph", "nyc-flights-regressor", "--stage", "production", "--backend-store-uri", demo])

    digest = r"#40;[0-9a-f]{8}#41;"
    assert re.sub(digest, "digest", capsys.readouterr().out) == re.sub(digest, "digest", written)


def test_every_setting_is_in_the_table() -> None:
    """With its option, variables, default and help, as the command line has them."""
    for setting in every_setting():
        variables = ", ".join(f"`{variable}`" for variable in setting.variables)
        default = "" if setting.default is None else f"`{setting.default}`"
        assert f"| `{setting.option}` | {variables} | {default} | {setting.help} |\n" in README


def test_every_command_is_named() -> None:
    """The README names all commands, and no others."""
    assert set(re.findall(r"\| `lineage-api ([a-z]+)` \|", README)) == set(main.commands)


def test_every_link_leads_somewhere() -> None:
    """To a file or folder of the repository."""
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target


def assert_alike(ours: Any, written: Any, key: str = "") -> None:
    """Equal, but for what another machine or another release of a library changes."""
    if isinstance(written, dict):
        assert list(ours) == list(written)
        for name in written:
            assert_alike(ours[name], written[name], name)
    elif isinstance(written, list):
        assert len(ours) == len(written)
        for mine, theirs in zip(ours, written, strict=True):
            assert_alike(mine, theirs, key)
    elif isinstance(written, float) or key == "sizeBytes":
        assert ours == pytest.approx(written, rel=0.3)
    elif key in {"digest", "pythonVersion"} or (key == "version" and isinstance(written, str)):
        assert isinstance(ours, str)
    else:
        assert ours == written
