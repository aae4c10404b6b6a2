import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
import starlette.requests
from graphql import build_schema, parse, validate
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect, sync_playwright

from lineage_api.api import graphiql
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.graph.identity import encoded
from tests import stores
from tests.conftest import Templates
from tests.serving import served

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "lineage_api/static/source/examples").glob("*.graphql"))
SCHEMA = ROOT / "schema.graphql"
BEFORE_ALL = encoded("RegistryEvent", 0)
CHROMIUM = Path("/usr/bin/chromium")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=20_000)  # the editor is three megabytes of script


@pytest.fixture(scope="module")
def address(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers for a store in which there is something to find for each example."""
    with stores.filled("sqlite", templates, tmp_path_factory.mktemp("graphiql")) as store:
        fill(store)
        with served(create_app(Settings(backend_store_uri=store.uri))) as address:
            yield address


def fill(store: stores.Store) -> None:
    """A model in Production, and the run that it came from."""
    name, experiment = "nyc-flights-regressor", store.experiment("nyc-flights")
    run = store.run(
        experiment,
        "boosting",
        params={"max_depth": 5},
        metrics={"rmse": 9.34},
        tags={"mlflow.source.git.commit": "a3fa87c"},
    )
    store.dataset(run, "flights", "1f0c")
    model = store.logged_model(experiment, "model", run)
    store.registered_model(name)
    version = store.version(name, run_id=run, model_id=model.model_id, tags={"team": "flights"})
    store.stage(name, version, "Production")
    store.alias(name, "champion", version)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(browser: Browser, address: str) -> Iterator[Page]:
    """A new visitor's browser; at the end nothing was asked of another host, and nobody complained."""
    elsewhere: list[str] = []
    complaints: list[str] = []

    def only_ours(route: Route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
    context.route("**/*", only_ours)
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error('policy', e.violatedDirective))"
    )
    window = context.new_page()
    window.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
    window.on("pageerror", lambda error: complaints.append(str(error)))
    yield window
    context.close()
    assert elsewhere == []
    assert complaints == []


def arrive(window: Page, path: str) -> None:
    """Open an address of ours, and wait until both editors are there."""
    window.goto(path)
    expect(window.locator(".graphiql-query-editor .view-line").first).to_be_visible()
    expect(window.locator(".result-window .monaco-editor").first).to_be_attached()


def run(window: Page, *, with_keys: bool = False) -> Request:
    """Run what is in the editor; this is what was sent."""
    with window.expect_request(
        lambda request: request.method == "POST" and "IntrospectionQuery" not in request.post_data
    ) as sent:
        if with_keys:
            window.locator(".graphiql-query-editor").get_by_role("textbox").press("Control+Enter")
        else:
            window.get_by_role("button", name="Execute query").click()
    return sent.value


def editor(window: Page) -> str:
    """What can be seen of the query, line by line."""
    lines = window.locator(".graphiql-query-editor .view-line").all_inner_texts()
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ").strip()


def names(window: Page) -> Locator:
    """The names of the tabs in which queries are edited."""
    return window.locator(".graphiql-tab-button")


def settle(window: Page) -> None:
    """Until GraphiQL has taken note of what was typed, and has written down what it keeps."""
    window.wait_for_timeout(800)  # it does both half a second after the last change, and shows neither


def remembered(window: Page) -> str:
    """All that the browser has been given to keep."""
    settle(window)
    return window.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage}) + document.cookie")


def test_the_first_example_runs(window):
    """On a first visit one press of the button shows where a model came from."""
    arrive(window, "/graphql")
    run(window)

    expect(window.locator(".result-window")).to_contain_text('"totalCount": 1')
    expect(window).to_have_title("lineage_api")


def test_the_examples_are_in_tabs(window):
    """On a first visit there is a tab for each example, named after its operation."""
    arrive(window, "/graphql")

    expect(names(window)).to_have_text(
        ["Lineage", "RollBackNow", "CompareCandidates", "WhoReadThisData", "WhatHappens"]
    )

    names(window).nth(3).click()
    expect(window.locator(".graphiql-query-editor")).to_contain_text("query WhoReadThisData")


def test_icons_are_named(window):
    """Who cannot see the icons is told what they are; a build that renames functions loses that."""
    arrive(window, "/graphql")

    expect(window.get_by_role("img", name="play icon")).to_be_visible()


def test_the_documentation_shows_a_type(window):
    """The documentation opens, and leads from the root to a type and its description."""
    arrive(window, "/graphql")
    window.get_by_role("button", name="Show Documentation Explorer").click()

    documentation = window.locator(".graphiql-doc-explorer")
    documentation.get_by_role("link", name="Query").click()
    documentation.get_by_role("link", name="RegisteredModel", exact=True).click()

    expect(documentation).to_contain_text("A name in the registry, with all the versions")


def test_history_lists_what_was_run(window):
    """A query that was run can be found again."""
    arrive(window, "/graphql")
    window.get_by_role("button", name="Show History").click()
    history = window.get_by_role("region", name="History")
    expect(history.locator(".graphiql-history-item-label")).to_have_count(0)

    run(window)

    expect(history.locator(".graphiql-history-item-label")).to_have_text(["Lineage"])


def test_the_explorer_shows_the_query(window):
    """The explorer opens, with the fields of the query ticked."""
    arrive(window, "/graphql")
    window.get_by_role("button", name="Show GraphiQL Explorer").click()

    explorer = window.locator(".graphiql-explorer-root")
    expect(explorer.locator(".graphiql-explorer-registeredModel").first).to_be_visible()


def test_a_query_in_the_address_fills_the_editor(window):
    """A link opens with its query and variables in the only tab; nothing has been run."""
    query = "query Named($name: String!) { registeredModel(name: $name) { name } }"
    arrive(window, "/graphql?" + urlencode({"query": query, "variables": '{"name": "linked"}'}))

    assert editor(window) == query
    expect(names(window)).to_have_text(["Named"])
    expect(window.locator(".result-window")).not_to_contain_text("data")
    assert run(window).post_data_json["variables"] == {"name": "linked"}


def test_variables_of_the_last_visit_stay_there(window):
    """A link without variables has none, whatever was in the editor before."""
    arrive(window, "/graphql?" + urlencode({"query": "query Old { __typename }", "variables": '{"old": 1}'}))
    run(window)
    assert "old" in remembered(window)

    arrive(window, "/graphql?" + urlencode({"query": "query New { __typename }"}))

    assert editor(window) == "query New { __typename }"
    assert "variables" not in run(window).post_data_json


def test_an_operation_in_the_address_is_the_one_that_runs(window):
    """Of several operations, the keyboard runs the one that the link names."""
    query = "query First { __typename }\nquery Second { __typename }"
    arrive(window, "/graphql?" + urlencode({"query": query, "operationName": "Second"}))
    expect(names(window)).to_have_text(["Second"])

    assert run(window, with_keys=True).post_data_json["operationName"] == "Second"


def test_headers_are_not_remembered(window):
    """A token that was typed in is sent, and is nowhere in the browser's storage, history and favorites included."""
    arrive(window, "/graphql")
    window.get_by_role("button", name="Headers").click()
    window.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines").click()
    window.keyboard.insert_text('{"authorization": "Bearer s3cret"}')
    settle(window)
    assert run(window).headers["authorization"] == "Bearer s3cret"
    expect(window.locator(".result-window")).to_contain_text('"totalCount": 1')

    assert "graphiql:queries" in remembered(window)
    assert "s3cret" not in remembered(window)

    window.get_by_role("button", name="Show History").click()
    window.get_by_role("button", name="Add favorite").click()
    kept = remembered(window)

    assert "graphiql:favorites" in kept
    assert "query Lineage" in kept
    assert "s3cret" not in kept


def test_tabs_are_remembered(window):
    """Who comes back finds the tabs as they were left, and no examples that were closed."""
    arrive(window, "/graphql")
    names(window).nth(3).click()
    window.get_by_role("tab", selected=True).get_by_role("button", name="Close Tab").click()
    expect(names(window)).to_have_count(4)
    settle(window)

    window.reload()

    expect(names(window)).to_have_text(["Lineage", "RollBackNow", "CompareCandidates", "WhatHappens"])


def test_the_page_is_guarded(address):
    """No script, frame or form of anybody else, no guessing of types, and no address told to others."""
    answer = httpx.get(f"{address}/graphql", headers={"accept": "text/html"})

    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in answer.headers if name not in ("date", "server")} == {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
            "font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
        "vary": "accept",
        "content-type": "text/html; charset=utf-8",
        "content-length": str(len(answer.content)),
    }


def test_assets_are_kept_for_good(address):
    """All that the page names is there, compressed, and need not be asked for again."""
    page = httpx.get(f"{address}/graphql", headers={"accept": "text/html"}).text
    [script] = [part for part in page.split('"') if part.startswith("/graphiql/assets/index") and part.endswith(".js")]

    answer = httpx.get(address + script)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["index.js", "", "..%2findex.html", "%2fetc%2fpasswd"])
def test_no_other_file_is_served(address, path):
    """Only what was built is there; the page itself is served with its guards, or not at all."""
    assert httpx.get(f"{address}/graphiql/assets/{path}").status_code == 404


def test_behind_a_proxy():
    """Behind a proxy that serves the app under a prefix, the page asks for its files under that prefix."""
    page = bytes(graphiql.page(starlette.requests.Request({"type": "http", "root_path": "/ml&ops"})).body).decode()

    assert '"/ml&amp;ops/graphiql/assets/index' in page
    assert '"/graphiql/' not in page


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_is_a_query_of_the_schema(example):
    """What the tabs offer can be run, and begins by saying what it answers."""
    query = example.read_text()

    assert query.startswith("# ")
    assert validate(build_schema(SCHEMA.read_text()), parse(query)) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_has_an_answer(address, example):
    """On a store in which there is something to find it finds something."""
    if example.stem == "what_happens":
        assert '"kind":"VERSION_REGISTERED"' in first_told(address, example.read_text())
        return
    answer = httpx.post(f"{address}/graphql", json={"query": example.read_text()}).json()

    assert "errors" not in answer
    assert '"nodes": [{' in json.dumps(answer["data"])


def first_told(address, query):
    """The first that a subscription says of all that has ever happened."""
    headers = {"accept": "text/event-stream", "last-event-id": BEFORE_ALL}
    with httpx.stream("POST", f"{address}/graphql", json={"query": query}, headers=headers) as stream:
        return next(line for line in stream.iter_lines() if line.startswith("data:"))


def test_every_example_is_in_the_built_page():
    """The build is not older than the examples."""
    built = "".join(script.read_text() for script in (graphiql.BUILT / "assets").glob("index-*.js"))

    assert len(EXAMPLES) == 5
    for example in EXAMPLES:
        assert all(line in built for line in example.read_text().splitlines())
