"""Makes the project: run by `project.make` in a process of its own, `python -m lineage_api.demo.build FOLDER NAME`.

It writes a line to standard output for each thing that it has to say, and READY when the store is there and empty;
then it waits for a byte on standard input. When standard input ends, so does it, at once: whoever started it is gone.
"""

import contextlib
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import pandas as pd
import sklearn
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from lineage_api.demo import repository, story, training
from lineage_api.demo.place import APPLICATION_ID, READY, SAMPLE, Place

EXPERIMENT = "nyc-flights"
DATASET = "nyc-flights-2013"
REQUIREMENTS = [
    f"cloudpickle=={cloudpickle.__version__}",
    f"pandas=={pd.__version__}",
    f"scikit-learn=={sklearn.__version__}",
]


def build(place: Place, name: str, say: Callable[[str], None], ready: Callable[[], None]) -> None:
    """Makes all of it in an empty folder: store, data, code, runs, versions."""
    _make_store(place)
    ready()
    shutil.copyfile(Path(__file__).parent / "data" / SAMPLE, place.data)
    commits = repository.write(place.code)

    mlflow.set_tracking_uri(place.uri)
    client = mlflow.MlflowClient()
    mlflow.set_experiment(experiment_id=client.create_experiment(EXPERIMENT, (place.artifacts / EXPERIMENT).as_uri()))
    story.register(client, name)
    train, test = training.flights(place.data)
    team = zip(training.CANDIDATES, commits, story.RELEASES, strict=True)
    for number, (candidate, commit, told) in enumerate(team, start=1):
        model, scores = _Run(place, candidate, commit).log(train, test)
        made = mlflow.register_model(model.model_uri, name)
        story.release(client, name, int(made.version), told)
        size = _readable(mlflow.models.Model.load(model.model_uri).model_size_bytes)
        say(f"{number}/{len(commits)} {candidate.title} … rmse {scores['rmse']:.2f} minutes, {size}")


def _readable(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _make_store(place: Place) -> None:
    with closing(sqlite3.connect(place.database)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    # By a client it would be made with ./mlruns as the root of its artifacts.
    SqlAlchemyStore(place.uri, place.artifacts.as_uri())


@dataclass(frozen=True)
class _Run:
    """The training of one candidate, as a CI job would log it."""

    place: Place
    candidate: training.Candidate
    commit: str

    def log(self, train: Any, test: Any) -> tuple[Any, dict[str, float]]:
        """Trains and logs; gives what MLflow knows of the model that came of it, and its scores."""
        with mlflow.start_run(run_name=self.candidate.title, tags=self._tags()):
            mlflow.log_params(self._params())
            self._log_input(train, "training")
            tested = self._log_input(test, "testing")
            mlflow.log_dict(training.preprocessing(self.candidate, train), "preprocessing.json")
            start = time.perf_counter()
            pipeline = training.trained(self.candidate, train)
            seconds = time.perf_counter() - start
            scores = training.scores(pipeline, test)
            model = self._log_model(pipeline, test)
            mlflow.log_metrics(scores, dataset=tested, model_id=model.model_id)
            mlflow.log_metric("fit_seconds", seconds)
            self._log_stages(pipeline, test)
        return model, scores

    def _tags(self) -> dict[str, str]:
        """What CI knows; MLflow alone would name the process of the demo, and the repository that it stands in."""
        return {
            "mlflow.user": "demo",
            "mlflow.source.name": "train.py",
            "mlflow.source.type": "JOB",
            "mlflow.source.git.commit": self.commit,
            "mlflow.source.git.branch": repository.BRANCH,
            "mlflow.source.git.repoURL": self.place.code.as_uri(),
            "team": story.TEAM["team"],
            "trigger": "ci",
        }

    def _params(self) -> dict[str, object]:
        split = {"test_share": training.TEST_SHARE, "split_seed": training.SEED}
        return {
            "estimator": self.candidate.estimator,
            "encoding": self.candidate.encoding,
            **self.candidate.settings,
            **split,
        }

    def _log_input(self, rows: Any, context: str) -> Any:
        dataset = mlflow.data.from_pandas(rows, source=str(self.place.data), targets=training.TARGET, name=DATASET)
        mlflow.log_input(dataset, context)
        return dataset

    def _log_model(self, pipeline: Any, rows: Any) -> Any:

        known = training.features(rows)
        return mlflow.sklearn.log_model(
            pipeline,
            name=self.candidate.title.replace(" ", "-"),
            tags=self._tags(),
            signature=mlflow.models.infer_signature(known, pipeline.predict(known)),
            pip_requirements=REQUIREMENTS,
            serialization_format="cloudpickle",  # MLflow's default, skops, does not trust trees
        )

    def _log_stages(self, pipeline: Any, rows: Any) -> None:
        """How the error fell while trees were added, every tenth of them."""
        now = int(time.time() * 1000)
        errors = islice(enumerate(training.errors_by_stage(pipeline, rows), start=1), 9, None, 10)
        points = [mlflow.entities.Metric("staged_rmse", error, now, step) for step, error in errors]
        mlflow.MlflowClient().log_batch(mlflow.active_run().info.run_id, metrics=points)


def main() -> None:
    """Builds, and talks about it with the process that asked for it."""
    folder, name = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is no line of ours
        build(Place(Path(folder)), name, _say, _ready)
    os._exit(0)  # all is written; taking down the interpreter with what MLflow loaded costs two seconds


def _say(line: str) -> None:
    print(line, file=sys.__stdout__, flush=True)


def _ready() -> None:
    _say(READY)
    _wait_for_a_byte()
    threading.Thread(target=_wait_for_a_byte, daemon=True).start()


def _wait_for_a_byte() -> None:
    if not os.read(0, 1):
        os._exit(1)


if __name__ == "__main__":
    main()
