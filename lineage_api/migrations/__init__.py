"""Our own tables and triggers beside MLflow's: made, brought up to date, and taken out again."""
