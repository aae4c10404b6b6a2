"""graphql-core's own tests, run on our engine: they say what the specification means."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

import pytest

import lineage_api
from tests.engine.context import NAME

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lineage-api"
"""Where graphql-core's source distribution is kept from one run to the next."""

NONNULL = (
    "tests.execution.test_nonnull.describe_execute_handles_non_nullable_types."
    "describe_handles_multiple_errors_for_a_single_response_position."
)
EXECUTOR = "tests.execution.test_executor.describe_execute_handles_basic_execution_tasks."

KNOWN_FAILURES = {
    NONNULL + "nullable_and_non_nullable_root_fields_throw_nested_errors": """
        Two errors come in the same turn of the event loop, so graphql-core reports the second one too,
        below a position that the first has nulled. We report the first in document order.""",
    NONNULL + "nullable_and_non_nullable_nested_fields_throw_nested_errors": "The same, further down.",
    EXECUTOR + "handles_sync_errors_combined_with_async_ones": """
        A required root field fails at once: graphql-core answers before it awaits the sibling, we await the round.""",
}
"""What fails by design, and why; the specification allows each."""


def test_the_execution_of_graphql_core(distribution, tmp_path):
    """All of its execution tests pass, but for those that test when its own executor does what."""
    outcomes = run(distribution, tmp_path, "tests/execution")

    assert failures(outcomes) == set(KNOWN_FAILURES)
    assert list(outcomes.values()).count("passed") >= 304


def test_the_rest_of_graphql_core(distribution, tmp_path):
    """Whatever else it tests by executing something; classes derived from its ExecutionContext derive from ours."""
    outcomes = run(
        distribution,
        tmp_path,
        "tests/error",
        "tests/type",
        "tests/utilities",
        "tests/test_hide_suggestions.py",
        "tests/test_star_wars_introspection.py",
        "tests/test_star_wars_query.py",
        "tests/test_too_deeply_nested_documents.py",
        "tests/test_user_registry.py",
        EXECUTION_CONTEXT_EXPORTED="yes",
    )

    assert failures(outcomes) == set()
    assert list(outcomes.values()).count("passed") >= 1169


def test_the_subscriptions_of_graphql_core(distribution, tmp_path):
    """Its tests of `subscribe` pass with ours."""
    ours = "lineage_api.engine:subscribe"
    outcomes = run(distribution, tmp_path, "tests/execution/test_subscribe.py", SUBSCRIBE=ours)

    assert failures(outcomes) == set()
    assert list(outcomes.values()).count("passed") >= 22


@pytest.fixture(scope="session")
def distribution() -> Path:
    """A folder with the source of the graphql-core that is installed, and `plugins` that its tests need."""
    name = f"graphql_core-{version('graphql-core')}"
    kept = CACHE / name
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=CACHE) as folder:
            fresh = Path(folder)
            pip("download", "--no-binary=graphql-core", f"--dest={fresh}", name.replace("_core-", "-core=="))
            pip("install", f"--target={fresh / name / 'plugins'}", "pytest-describe>=2,<4")
            with tarfile.open(fresh / f"{name}.tar.gz") as archive:
                archive.extractall(fresh, filter="data")
            if not kept.exists():  # another worker may have been faster
                (fresh / name).rename(kept)
    return kept


def pip(command: str, *arguments: str) -> None:
    """Let pip fetch something; where there is no network, what needs it is skipped, but never in CI."""
    line = [sys.executable, "-m", "pip", command, "--quiet", "--no-deps", "--retries=1", "--timeout=30", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "CI" not in os.environ and "connection" in done.stderr.lower():
        pytest.skip(f"graphql-core's own tests cannot be fetched, the registry is unreachable:\n{done.stderr}")
    assert done.returncode == 0, done.stderr


def run(distribution: Path, reports: Path, *paths: str, **steering: str) -> Mapping[str, str]:
    """The outcome of each test in these files of graphql-core, by the test's full name."""
    ours = [distribution / "plugins", Path(__file__).parent, Path(lineage_api.__file__).parents[1]]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    environment |= {
        "EXECUTION_CONTEXT": NAME,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(map(str, ours)),
    }
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "pytest_describe.plugin", "-p", "conformance_plugin"]
    # Its own configuration holds, without options for plugins that are not there.
    line = [sys.executable, "-m", "pytest", "--quiet", "--override-ini=addopts=", "-p", "no:cacheprovider", *plugins]
    report = reports / "report.xml"
    done = subprocess.run(
        [*line, f"--junit-xml={report}", *paths],
        cwd=distribution,
        env=environment | steering,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert report.exists()
    return {
        f"{case.attrib['classname']}.{case.attrib['name']}": case[0].tag if len(case) else "passed"
        for case in ET.parse(report).iter("testcase")
    }


def failures(outcomes: Mapping[str, str]) -> set[str]:
    """The tests that neither passed nor were skipped."""
    return {test for test, outcome in outcomes.items() if outcome not in ("passed", "skipped")}
