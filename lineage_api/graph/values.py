"""Values that have no identity of their own: parameters, metrics, tags."""

from datetime import datetime

from lineage_api.engine.nouns import arrow, column, noun
from lineage_api.graph.nouns import Dataset
from lineage_api.graph.rows import DATASETS, LATEST_METRICS, PARAMS, RUN_TAGS
from lineage_api.graph.scalars import BigInt
from lineage_api.store import convert


@noun
class Tag:
    """One key and its value."""

    key: str = column(RUN_TAGS.c.key)
    """Its key."""
    value: str = column(RUN_TAGS.c.value, convert=convert.written, named_by=RUN_TAGS.c.key)
    """Its value."""


@noun
class Param:
    """A parameter of a run or of a logged model."""

    key: str = column(PARAMS.c.key)
    """Its name, such as `learning_rate`."""
    value: str = column(PARAMS.c.value, named_by=PARAMS.c.key)
    """Its value, in writing."""


@noun
class Metric:
    """The value of a metric at one step."""

    key: str = column(LATEST_METRICS.c.key)
    """Its name, such as `rmse`."""
    value: float | None = column(LATEST_METRICS.c.value, LATEST_METRICS.c.is_nan, convert_all=convert.numbers)
    """Its value; null when that is not a finite number, which GraphQL cannot say: read `text` then."""
    text: str = column(LATEST_METRICS.c.value, LATEST_METRICS.c.is_nan, convert=convert.number_text)
    """Its value in writing, `NaN`, `Infinity` and `-Infinity` among others."""
    step: BigInt = column(LATEST_METRICS.c.step)
    """The training step at which it was logged."""
    logged_at: datetime | None = column(LATEST_METRICS.c.timestamp, convert=convert.moment)
    """When it was logged; null when MLflow holds no valid moment."""
    dataset: Dataset | None = arrow(
        DATASETS,
        of=[LATEST_METRICS.c.dataset_name, LATEST_METRICS.c.dataset_digest],
        to=[DATASETS.c.name, DATASETS.c.digest],
        order=[DATASETS.c.experiment_id],
    )
    """The dataset that it was measured on; null when none was named."""
