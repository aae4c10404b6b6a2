"""lineage_api: a GraphQL API over an MLflow store."""
