"""Webhooks: events of the registry, sent to whoever wants them, from the history itself."""
