"""The nouns: what there is in an MLflow store, and how one leads to another."""
