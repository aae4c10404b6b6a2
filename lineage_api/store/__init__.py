"""MLflow's tables, databases, artifacts and model files, read as plain values."""
