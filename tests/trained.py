"""Versions of registered models with all that was recorded of how they were trained, and with their files."""

import json
import math
from pathlib import Path

GIT = "mlflow.source.git"
OLD, NEW = "a" * 40, "b" * 40
PREPROCESSORS = [bytes([n]) * 2_000 for n in range(4)]


def column(name, kind="double", *, required=True):
    """A column of a signature."""
    return {"name": name, "type": kind, "required": required}


class Models:
    """Versions of a registered model, each from the files of a run of its own."""

    def __init__(self, store, name="m"):
        self.store = store
        self.name = name
        self.experiment = store.experiment(f"e-{name}")
        store.registered_model(name)

    def run(self, *, rate=0.1, rmse=6.0, commit=OLD, digest="d1", end=3_500, tags=None, preprocessor=b""):
        """A run that recorded all that there is."""
        code = {f"{GIT}.commit": commit, f"{GIT}.repoURL": "git@github.com:o/r.git", "mlflow.source.name": "train.py"}
        metrics, params = {"rmse": rmse, "loss": math.nan}, {"learning_rate": rate, "depth": 3}
        run = self.store.run(
            self.experiment, end=end, params=params, metrics=metrics, tags={"team": "ops", **code, **(tags or {})}
        )
        self.store.dataset(run, "rides", digest)
        write(self.folder(run), {"plots/residuals.png": b"png", "preprocessor.bin": preprocessor or PREPROCESSORS[0]})
        return run

    def folder(self, run):
        """The artifact folder of a run."""
        return Path(self.store.client.get_run(run).info.artifact_uri)

    def version(self, run, *, sklearn="1.4.2", columns=(), size=900, folder=None):
        """The number of a new version with all of its files."""
        folder = folder or self.folder(run) / "model"
        mlmodel = {
            "run_id": run,
            "flavors": {"python_function": {"data": "model.pkl"}},
            "model_size_bytes": size,
            "signature": {"inputs": json.dumps([column("km"), *columns]), "outputs": '[{"type": "double"}]'},
        }
        python = {"python_env.yaml": b"python: 3.11.7\ndependencies: [-r requirements.txt]\n"}
        needed = {"requirements.txt": f"Scikit_Learn=={sklearn}\nnumpy>=1\n".encode()}
        write(folder, {"MLmodel": json.dumps(mlmodel).encode(), "model.pkl": b"model", **python, **needed})
        return self.store.version(self.name, run_id=run, source=str(folder))


def write(folder, files):
    """Files of these contents, by path."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
