"""Random documents through the engine beside graphql-core: the tests that do so, with another number of examples."""

import os
import subprocess
import sys
from pathlib import Path

from tests.api import test_costs, test_random_operations
from tests.engine import test_oracle
from tests.test_cli import ROOT

TESTS = (
    test_oracle.test_queries,
    test_oracle.test_mutations,
    test_oracle.test_asynchronous_queries,
    test_oracle.test_asynchronous_mutations,
    test_random_operations.test_random_operations,
    test_costs.test_random_operations,
)


def command(examples: int, seed: int) -> tuple[list[str], dict[str, str]]:
    """The command that runs them, and the variables that it needs."""
    names = [f"{_file(test)}::{test.__name__}" for test in TESTS]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}", *names]
    return pytest, {**os.environ, "LINEAGE_API_EXAMPLES": str(examples)}


def fuzzed(examples: int, seed: int) -> int:
    """How many of the tests fail, each tried with so many examples."""
    arguments, variables = command(examples, seed)
    return subprocess.run(arguments, cwd=ROOT, env=variables, check=False).returncode


def _file(test: object) -> Path:
    return Path(sys.modules[test.__module__].__file__ or "").relative_to(ROOT)
