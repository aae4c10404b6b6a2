"""Execution of a GraphQL query, a level at a time; knows GraphQL and SQL, and nothing of MLflow."""

from lineage_api.engine.answers import answer
from lineage_api.engine.execute import ColumnarExecutionContext
from lineage_api.engine.subscribe import subscribe

__all__ = ["ColumnarExecutionContext", "answer", "subscribe"]
