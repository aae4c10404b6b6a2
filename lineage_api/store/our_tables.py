"""All tables of ours together."""

from lineage_api.store.history import events, models, recording, requests
from lineage_api.store.package_tables import model_files, packages
from lineage_api.store.webhook_tables import deliveries, webhooks

OURS = frozenset(
    table.name for table in (models, events, recording, requests, model_files, packages, webhooks, deliveries)
)
"""Their names."""
