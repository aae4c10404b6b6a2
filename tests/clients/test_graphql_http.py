"""The audits of the npm package `graphql-http`, by those who wrote the specification of GraphQL over HTTP."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.serving import served

HERE = Path(__file__).parent / "graphql_http"


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """The folder with the audits, installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node.js is missing: apt-get install nodejs npm")
    if (HERE / "node_modules").exists():
        return HERE
    folder = shutil.copytree(HERE, tmp_path_factory.mktemp("clients") / "graphql_http")
    installed = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"graphql-http cannot be installed: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


def test_every_audit_passes(audits, templates, tmp_path):
    """All 61 of them, those that are only recommendations included."""
    app = create_app(Settings(backend_store_uri=templates.copy("sqlite", tmp_path)))
    with served(app) as address:
        done = subprocess.run(
            ["node", "audit.mjs", f"{address}/graphql"], cwd=audits, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)

    assert len(results) == 61
    assert [each for each in results if each["status"] != "ok"] == []
