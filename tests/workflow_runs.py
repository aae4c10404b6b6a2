"""Runs of a GitHub workflow with one job, whose scripts bash runs as GitHub would have it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Repository:
    """A repository with a workflow, and what its runs keep."""

    workflow: Path
    folder: Path
    """Holds what is checked out, in `files`, and a workspace for each run."""
    variables: dict[str, str]
    caches: dict[str, bytes] = field(default_factory=dict)
    """What was saved by the steps of `actions/cache`, by key, the latest last."""
    runs: int = 0

    @property
    def files(self) -> Path:
        """What is checked out."""
        return self.folder / "files"

    def run(self) -> "Run":
        """What came of a run."""
        self.runs += 1
        run = Run(self, self.folder / str(self.runs), {"github.run_id": str(self.runs), "github.run_attempt": "1"})
        [job] = yaml.safe_load(self.workflow.read_text())["jobs"].values()
        for step in job["steps"]:
            run.take(step)
        return run


@dataclass
class Run:
    """A run of a workflow."""

    repository: Repository
    workspace: Path
    known: dict[str, str]
    """What can stand in expressions."""
    succeeded: bool = True
    said: str = ""
    complained: str = ""

    def take(self, step: dict[str, Any]) -> None:
        """Runs a step, where its condition holds."""
        conditions = step.get("if", "success()").split(" && ")
        if "always()" not in conditions:
            conditions.append("success()")  # which GitHub adds where a condition says nothing of the kind
        if not all(map(self._holds, conditions)):
            return
        match step.get("uses", "").partition("@")[0]:
            case "":
                self._run(step)
            case "actions/checkout":
                shutil.copytree(self.repository.files, self.workspace)
            case "actions/cache/restore":
                self._restore(**step["with"])
            case "actions/cache/save":
                self.repository.caches[self._text(step["with"]["key"])] = self._at(step["with"]["path"]).read_bytes()
            case action:
                raise AssertionError(f"{action} cannot be run here")

    def _holds(self, condition: str) -> bool:
        match condition:
            case "always()":
                return True
            case "success()":
                return self.succeeded
        return bool(self._value(condition))

    def _text(self, template: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self._value(found[1]), template)

    def _value(self, expression: str) -> str:
        """The value of an expression: variables, secrets and outputs that are not there are empty."""
        if found := re.fullmatch(r"(?:vars|secrets)\.(\w+)", expression):
            return self.repository.variables.get(found[1], "")
        return self.known.get(expression, "") if expression.startswith("steps.") else self.known[expression]

    def _at(self, path: str) -> Path:
        return self.workspace / path

    def _restore(self, path: str, key: str, **more: str) -> None:
        caches = self.repository.caches
        found = [each for each in caches if each.startswith((self._text(key), more["restore-keys"]))]
        if found:
            self._at(path).write_bytes(caches[found[-1]])

    def _run(self, step: dict[str, Any]) -> None:
        """Runs a script, in an environment of its own."""
        script, output = self._at(".script"), self._at(".output")
        script.write_text(self._text(step["run"]))
        output.touch()
        given = {name: self._text(value) for name, value in step.get("env", {}).items()}
        environment = {"PATH": os.environ["PATH"], "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output), **given}
        command = ["bash", "-e", str(script)]
        done = subprocess.run(
            command, cwd=self.workspace, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        self.succeeded = self.succeeded and done.returncode == 0
        self.said += done.stdout
        self.complained += done.stderr
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.known[f"steps.{step['id']}.outputs.{name}"] = value
