"""Changes to the registry: through MLflow's own store, in one transaction with the lock and the history."""
