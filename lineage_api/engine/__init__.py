"""Execution of a GraphQL query, a level at a time; knows GraphQL and SQL, and nothing of MLflow."""
