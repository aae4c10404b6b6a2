"""Folders with the files that MLflow writes beside a model."""

from pathlib import Path

_MLMODEL = """flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
"""


def own(folder: Path) -> Path:
    """The artifact folder of a logged model that is gone, as MLflow lays it out: nothing else here is read."""
    made = folder / ("m-" + "0" * 32) / "artifacts"
    made.mkdir(parents=True, exist_ok=True)
    return made


def model_folder(folder: Path, *requirements: str, python: str = "3.11.7") -> str:
    """A folder with a model that needs these packages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLmodel").write_text(_MLMODEL, encoding="utf-8")
    (folder / "conda.yaml").write_text(f"dependencies: [python={python}, pip]", encoding="utf-8")
    (folder / "python_env.yaml").write_text(f"python: '{python}'", encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(requirements), encoding="utf-8")
    return str(folder)
