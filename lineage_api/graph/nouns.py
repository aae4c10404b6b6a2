"""Each noun once, for modules that lead to it: this closes the rings between nouns, and nothing else does."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from lineage_api.graph.artifact import Artifact as Artifact
    from lineage_api.graph.dataset import Dataset as Dataset
    from lineage_api.graph.event import RegistryEvent as RegistryEvent
    from lineage_api.graph.experiment import Experiment as Experiment
    from lineage_api.graph.lineage import LineageGraph as LineageGraph
    from lineage_api.graph.logged_model import LoggedModel as LoggedModel
    from lineage_api.graph.manifest import ModelManifest as ModelManifest
    from lineage_api.graph.model_version import ModelVersion as ModelVersion
    from lineage_api.graph.registered_model import RegisteredModel as RegisteredModel
    from lineage_api.graph.run import Run as Run
    from lineage_api.graph.webhook import Webhook as Webhook
    from lineage_api.graph.webhook import WebhookDelivery as WebhookDelivery
else:
    Artifact = Annotated["Artifact", strawberry.lazy("lineage_api.graph.artifact")]
    Dataset = Annotated["Dataset", strawberry.lazy("lineage_api.graph.dataset")]
    Experiment = Annotated["Experiment", strawberry.lazy("lineage_api.graph.experiment")]
    LineageGraph = Annotated["LineageGraph", strawberry.lazy("lineage_api.graph.lineage")]
    LoggedModel = Annotated["LoggedModel", strawberry.lazy("lineage_api.graph.logged_model")]
    ModelManifest = Annotated["ModelManifest", strawberry.lazy("lineage_api.graph.manifest")]
    ModelVersion = Annotated["ModelVersion", strawberry.lazy("lineage_api.graph.model_version")]
    RegisteredModel = Annotated["RegisteredModel", strawberry.lazy("lineage_api.graph.registered_model")]
    RegistryEvent = Annotated["RegistryEvent", strawberry.lazy("lineage_api.graph.event")]
    Run = Annotated["Run", strawberry.lazy("lineage_api.graph.run")]
    Webhook = Annotated["Webhook", strawberry.lazy("lineage_api.graph.webhook")]
    WebhookDelivery = Annotated["WebhookDelivery", strawberry.lazy("lineage_api.graph.webhook")]
