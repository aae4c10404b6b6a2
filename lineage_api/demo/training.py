"""What is trained: how long a flight will be in the air, with four kinds of model.

Nothing here knows of MLflow or of the demo: this module is committed as `train.py` to the demo's own repository.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeRegressor

TARGET = "air_time"
CATEGORIES = ["origin", "dest", "carrier"]
NUMBERS = ["month", "day", "hour", "distance", "dep_delay"]
TEST_SHARE = 0.25
SEED = 0


@dataclass(frozen=True)
class Candidate:
    """A kind of model, and all that has to be known to train it again."""

    title: str
    estimator: str
    encoding: str
    settings: Mapping[str, float]


CANDIDATES = [
    Candidate("linear regression", "LinearRegression", "one-hot", {}),
    Candidate("decision tree", "DecisionTreeRegressor", "ordinal", {"max_depth": 8, "random_state": SEED}),
    Candidate("random forest", "RandomForestRegressor", "ordinal", {"n_estimators": 60, "random_state": SEED}),
    Candidate(
        "gradient boosting",
        "GradientBoostingRegressor",
        "ordinal",
        {"n_estimators": 500, "max_depth": 5, "learning_rate": 0.05, "subsample": 0.7, "random_state": SEED},
    ),
]


def flights(path: Path) -> tuple[Any, Any]:
    """The flights to learn from and those to be tested on, as two data frames."""
    train, test = train_test_split(pd.read_csv(path), test_size=TEST_SHARE, random_state=SEED)
    return train, test


def features(rows: Any) -> Any:
    """What is known of flights before they leave."""
    return rows[CATEGORIES + NUMBERS]


def trained(candidate: Candidate, rows: Any) -> Any:
    """A pipeline that predicts the air time of a flight, learned from these."""
    encoders = {
        "one-hot": OneHotEncoder(handle_unknown="ignore"),
        "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    }
    encoding = ColumnTransformer([("categories", encoders[candidate.encoding], CATEGORIES)], remainder="passthrough")
    pipeline = Pipeline([("encoding", encoding), ("model", _estimator(candidate))])
    return pipeline.fit(features(rows), rows[TARGET])


def _estimator(candidate: Candidate) -> Any:
    kinds = [LinearRegression, DecisionTreeRegressor, RandomForestRegressor, GradientBoostingRegressor]
    return {kind.__name__: kind for kind in kinds}[candidate.estimator](**candidate.settings)


def scores(pipeline: Any, rows: Any) -> dict[str, float]:
    """How well it does on these flights: errors in minutes, and how long one answer takes in milliseconds."""
    predicted = pipeline.predict(features(rows))
    measures = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}
    found = {name: float(measure(rows[TARGET], predicted)) for name, measure in measures.items()}
    return {**found, "predict_ms": _milliseconds_of_one(pipeline, features(rows.head(1)))}


def _milliseconds_of_one(pipeline: Any, flight: Any) -> float:
    def once() -> float:
        start = time.perf_counter()
        pipeline.predict(flight)
        return (time.perf_counter() - start) * 1000

    return statistics.median(once() for _ in range(9))


def errors_by_stage(pipeline: Any, rows: Any) -> Iterator[float]:
    """The test error after each tree that boosting added; nothing for a model that is not made in stages."""
    encoding, model = pipeline["encoding"], pipeline["model"]
    if not hasattr(model, "staged_predict"):
        return
    for predicted in model.staged_predict(encoding.transform(features(rows))):
        yield float(root_mean_squared_error(rows[TARGET], predicted))


def preprocessing(candidate: Candidate, rows: Any) -> dict[str, Any]:
    """What happens to a flight before the model sees it, for those who serve the model elsewhere."""
    return {
        "target": TARGET,
        "numbers": NUMBERS,
        "categories": {name: sorted(rows[name].unique()) for name in CATEGORIES},
        "encoding": candidate.encoding,
        "split": {"test_share": TEST_SHARE, "seed": SEED},
    }
