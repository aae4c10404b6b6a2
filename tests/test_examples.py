"""The examples for Python and for browsers, run as they are, while MLflow's own client promotes versions."""

import json
import re
import shutil
import subprocess
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.api.test_graphiql import CHROMIUM, FLAGS
from tests.following import happens
from tests.promoting import EXAMPLES, PATIENCE_S, Quiet, local, registry_in, running


@pytest.fixture
def registry(templates, tmp_path):
    with registry_in(templates, tmp_path) as registry:
        yield registry


def versions_in(lines):
    """The versions that a consumer handled."""
    return [json.loads(line)["version"] for line in lines]


def test_a_consumer_that_is_killed_goes_on(registry, tmp_path):
    """Killed again and again while versions are promoted, it handles each in order: at most one each time twice."""
    position, promoted, handled = tmp_path / "position", [], []
    with registry.answering():
        command = ("consumer.py", registry.url.replace("http", "ws"), position)
        for _ in range(4):
            with running(*command) as consumer:
                happens(position.exists)
                promoted += registry.promote(5)
                first = consumer.stdout.readline()
                consumer.kill()
                handled = joined(handled, versions_in([first, *consumer.stdout]))
            promoted += registry.promote()
        with running(*command) as consumer:
            while handled[-1] != promoted[-1]:
                handled = joined(handled, versions_in([consumer.stdout.readline()]))

    assert handled == promoted


def joined(before, after):
    """What was handled before and after a consumer was killed; the last before may be the first after."""
    return before + (after[1:] if before[-1:] == after[:1] else after)


def test_a_consumer_connects_again(registry, tmp_path):
    """While there is no server it waits; then it goes on with what was promoted meanwhile."""
    with ExitStack() as until_the_end:
        with registry.answering():
            place = (registry.url.replace("http", "ws"), tmp_path / "position")
            consumer = until_the_end.enter_context(running("consumer.py", *place))
            happens(place[1].exists)
            promoted = registry.promote()
            handled = versions_in([consumer.stdout.readline()])
        promoted += registry.promote(2)
        assert consumer.stderr.readline().startswith("not connected: ")
        with registry.answering():
            promoted += registry.promote()
            handled += versions_in(consumer.stdout.readline() for _ in range(3))

    assert handled == promoted


class Files(Quiet, SimpleHTTPRequestHandler):
    """The files of a folder."""


@pytest.fixture
def page(tmp_path):
    """Where the page for browsers is served, with its package installed."""
    npm = shutil.which("npm")
    if not npm or not CHROMIUM.exists():
        pytest.skip("npm or Chromium is missing: apt-get install npm chromium")
    folder = shutil.copytree(EXAMPLES / "browser", tmp_path / "browser")
    if not (folder / "node_modules").exists():
        command = [npm, "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"graphql-ws cannot be installed: {done.stderr.strip().splitlines()[-1:]}")

    with local(partial(Files, directory=folder)) as port:
        yield f"http://127.0.0.1:{port}/index.html"


def test_a_page_shows_promotions(registry, page):
    """Those before it was opened, those that happen, and those that happened while there was no server."""
    with sync_playwright() as playwright, ExitStack() as until_the_end:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        until_the_end.callback(browser.close)
        window = browser.new_page()
        origin = {"cors_allowed_origins": page.removesuffix("/index.html")}
        with registry.answering(**origin):
            window.goto(f"{page}?api={registry.url}")
            shows(window, "connected", "flights 1")
            registry.promote()
            shows(window, "connected", "flights 2", "flights 1")
        shows(window, "not connected", "flights 2", "flights 1")
        name = "<b>flights"
        registry.store.registered_model(name)
        registry.promote(2, name)
        with registry.answering(**origin):
            shows(window, "connected", f"{name} 2", f"{name} 1", "flights 2", "flights 1")


def shows(window, status, *promotions):
    """Waits until a page shows these promotions, the latest first."""
    expect(window.get_by_role("status")).to_have_text(status, timeout=PATIENCE_S * 1000)
    expect(window.get_by_role("listitem")).to_have_text([re.compile(f": {each}$") for each in promotions])


def test_every_link_of_their_page_leads_somewhere():
    """To a file or folder of the repository; and every example is on the page."""
    links = re.findall(r"\]\((?!http)([^)]+)\)", (EXAMPLES / "README.md").read_text())
    assert all((EXAMPLES / link).exists() for link in links)
    written = {*EXAMPLES.glob("*.py"), *EXAMPLES.glob("github-actions/*")}
    assert {str(path.relative_to(EXAMPLES)) for path in written} <= {*links}
