"""The same schema, executed object by object by graphql-core: what the engine is measured against.

`python -m benchmarks.plain --uri URI --port PORT [--max-page N]`. It is the server as it is, documents cached and all,
with graphql-core's own ExecutionContext in the place of ours.
"""

import argparse

import uvicorn
from graphql import ExecutionContext

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.engine import answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-page", type=int, default=100)
    options = parser.parse_args()
    answers.ColumnarExecutionContext = ExecutionContext
    app = create_app(Settings(backend_store_uri=options.uri, backend="rows", max_page=options.max_page, read_only=True))
    uvicorn.run(app, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
