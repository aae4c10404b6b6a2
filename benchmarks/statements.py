"""The SQL of the answers by hand, as good as we can write it, on MLflow's tables as MLflow leaves them.

There is no index of ours, and on SQLite there are no statistics. For PostgreSQL each answer is also one statement that
makes the JSON, which is the limit there.
"""

_NO_PROMPT = """NOT EXISTS (SELECT 1 FROM registered_model_tags AS t WHERE t.workspace = 'default' AND t.name = m.name
        AND t.key = 'mlflow.prompt.is_prompt' AND t.value = 'true')"""
_FINITE = "CASE WHEN NOT is_nan AND abs(value) < 1.7976931348623157e308 THEN value END"
_BY_METRIC = """(SELECT value FROM latest_metrics AS l WHERE l.key = {mark} AND l.run_uuid = r.run_uuid AND NOT is_nan)
    {direction} NULLS LAST, run_uuid LIMIT 100"""

_PAGES = {
    "page of experiment": "SELECT run_uuid, name FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active'"
    " ORDER BY start_time DESC, run_uuid LIMIT 100 OFFSET ?",
    "page of runs": "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active'"
    " ORDER BY start_time DESC, run_uuid LIMIT 100 OFFSET ?",
    "page of versions": f"""
    SELECT name, version FROM model_versions AS m
    WHERE workspace = 'default' AND current_stage <> 'Deleted_Internal' AND {_NO_PROMPT}
    ORDER BY creation_time DESC, name, version DESC LIMIT 100 OFFSET ?""",
}

SQLITE = _PAGES | {
    # A page of the versions of each model: those from its fifth on. The window function would number all versions of
    # the store first (138 ms against 0.6, with 20,000 versions); PostgreSQL has LATERAL for it.
    "catalog": f"""
    SELECT m.name, v.version, v.current_stage, r.run_uuid, r.name, e.name
    FROM (SELECT name FROM registered_models AS m WHERE workspace = 'default' AND {_NO_PROMPT}
          ORDER BY name LIMIT 50) AS m
    LEFT JOIN model_versions AS v ON v.workspace = 'default' AND v.name = m.name
        AND v.current_stage <> 'Deleted_Internal'
        AND v.version >= coalesce((
            SELECT version FROM model_versions AS fifth WHERE fifth.workspace = 'default' AND fifth.name = m.name
            AND fifth.current_stage <> 'Deleted_Internal' ORDER BY version DESC LIMIT 1 OFFSET 4), 0)
    LEFT JOIN runs AS r ON r.run_uuid = v.run_id
    LEFT JOIN experiments AS e ON e.experiment_id = r.experiment_id
    ORDER BY m.name, v.version DESC""",
    "rollback": f"""
    SELECT m.name, v.version, v.current_stage, v.storage_location,
        r.run_uuid, r.name, r.status, r.start_time, r.end_time
    FROM registered_models AS m
    LEFT JOIN (SELECT version, current_stage, storage_location, run_id FROM model_versions
               WHERE workspace = 'default' AND name = ? AND current_stage <> 'Deleted_Internal'
               ORDER BY version DESC LIMIT 10) AS v ON true
    LEFT JOIN runs AS r ON r.run_uuid = v.run_id
    WHERE m.workspace = 'default' AND m.name = ? AND {_NO_PROMPT}
    ORDER BY v.version DESC""",
    "comparison": "SELECT run_uuid, name, start_time, end_time FROM runs AS r"
    " WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY " + _BY_METRIC.replace("{mark}", "?"),
    # Runs lie in the table in the order in which they began, or nearly so. Read backwards, the newest come first and
    # almost all others are dropped at once; read forwards, each is for a moment the newest (median 37 ms against
    # 194 for 909 of 200,000 runs). LIMIT -1 keeps SQLite from doing away with the inner order.
    "newest": "SELECT run_uuid, name FROM (SELECT run_uuid, name, start_time FROM runs"
    " WHERE lifecycle_stage = 'active' ORDER BY rowid DESC LIMIT -1) ORDER BY start_time DESC LIMIT ?",
    "point": "SELECT run_uuid, name, status FROM runs WHERE run_uuid = ?",
    "params": "SELECT run_uuid, key, value FROM params WHERE run_uuid IN (SELECT value FROM json_each(?))"
    " ORDER BY run_uuid, key",
    "metrics": f"SELECT run_uuid, key, {_FINITE} FROM latest_metrics"
    " WHERE run_uuid IN (SELECT value FROM json_each(?)) ORDER BY run_uuid, key",
    "tags": "SELECT run_uuid, key, value FROM tags WHERE run_uuid IN (SELECT value FROM json_each(?))"
    " AND substr(key, 1, 7) <> 'mlflow.' ORDER BY run_uuid, key",
}

POSTGRES = {name: sql.replace("?", "%s") for name, sql in _PAGES.items()} | {
    "catalog": f"""
    SELECT m.name, v.version, v.current_stage, r.run_uuid, r.name, e.name
    FROM (SELECT name FROM registered_models AS m WHERE workspace = 'default' AND {_NO_PROMPT}
          ORDER BY name LIMIT 50) AS m
    LEFT JOIN LATERAL (
        SELECT version, current_stage, run_id FROM model_versions AS v WHERE v.workspace = 'default' AND v.name = m.name
        AND v.current_stage <> 'Deleted_Internal' ORDER BY version DESC LIMIT 5) AS v ON true
    LEFT JOIN runs AS r ON r.run_uuid = v.run_id
    LEFT JOIN experiments AS e ON e.experiment_id = r.experiment_id
    ORDER BY m.name, v.version DESC""",
    "rollback": SQLITE["rollback"].replace("?", "%s"),
    "comparison": SQLITE["comparison"].replace("?", "%s"),
    "newest": "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC LIMIT %s",
    "point": SQLITE["point"].replace("?", "%s"),
    "params": "SELECT run_uuid, key, value FROM params WHERE run_uuid = ANY(%s) ORDER BY run_uuid, key",
    "metrics": f"SELECT run_uuid, key, {_FINITE} FROM latest_metrics WHERE run_uuid = ANY(%s) ORDER BY run_uuid, key",
    "tags": "SELECT run_uuid, key, value FROM tags WHERE run_uuid = ANY(%s)"
    " AND NOT starts_with(key, 'mlflow.') ORDER BY run_uuid, key",
}


def _json_list(value: str, table: str, extra: str = "") -> str:
    """The pairs of a run as a JSON list; rows as a whole cost less than json_build_object."""
    return f"""(SELECT coalesce(json_agg(pair), '[]') FROM (
        SELECT key, {value} AS value FROM {table} AS x WHERE x.run_uuid = r.run_uuid {extra} ORDER BY key) AS pair)"""


_PARAMS, _METRICS = _json_list("value", "params"), _json_list(_FINITE, "latest_metrics")
_TAGS = _json_list("value", "tags", "AND NOT starts_with(key, 'mlflow.')")
_DURATION = "(r.end_time - r.start_time) / 1000::float8"
_STARTED = """to_char(to_timestamp(r.start_time / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"')"""

POSTGRES_JSON = {
    "catalog": f"""
    SELECT json_build_object('registeredModels', json_build_object('nodes', coalesce(json_agg(json_build_object(
        'name', m.name, 'versions', json_build_object('nodes', v.nodes)) ORDER BY m.name), '[]')))::text
    FROM (SELECT name FROM registered_models AS m WHERE workspace = 'default' AND {_NO_PROMPT}
          ORDER BY name LIMIT 50) AS m
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(json_build_object('version', v.version, 'stage', upper(v.current_stage), 'run',
            CASE WHEN r.run_uuid IS NOT NULL THEN json_build_object('runId', r.run_uuid, 'name', r.name,
                'experiment', json_build_object('name', e.name), 'params', {_PARAMS}, 'metrics', {_METRICS}) END
        ) ORDER BY v.version DESC), '[]') AS nodes
        FROM (SELECT version, current_stage, run_id FROM model_versions AS v WHERE v.workspace = 'default'
              AND v.name = m.name AND v.current_stage <> 'Deleted_Internal' ORDER BY version DESC LIMIT 5) AS v
        LEFT JOIN runs AS r ON r.run_uuid = v.run_id
        LEFT JOIN experiments AS e ON e.experiment_id = r.experiment_id) AS v""",
    "rollback": f"""
    SELECT json_build_object('registeredModel', (
        SELECT json_build_object('name', m.name, 'versions', json_build_object('nodes', (
            SELECT coalesce(json_agg(json_build_object('version', v.version, 'stage', upper(v.current_stage),
                'artifactUri', v.storage_location, 'run', CASE WHEN r.run_uuid IS NOT NULL THEN json_build_object(
                    'runId', r.run_uuid, 'name', r.name, 'status', r.status, 'startedAt', {_STARTED},
                    'duration', {_DURATION}, 'params', {_PARAMS}, 'metrics', {_METRICS}) END
            ) ORDER BY v.version DESC), '[]')
            FROM (SELECT version, current_stage, storage_location, run_id FROM model_versions AS v
                  WHERE v.workspace = 'default' AND v.name = m.name AND v.current_stage <> 'Deleted_Internal'
                  ORDER BY version DESC LIMIT 10) AS v
            LEFT JOIN runs AS r ON r.run_uuid = v.run_id)))
        FROM registered_models AS m WHERE m.workspace = 'default' AND m.name = %s AND {_NO_PROMPT}))::text""",
    "comparison": f"""
    SELECT json_build_object('runs', json_build_object('nodes', coalesce(json_agg(json_build_object('runId', r.run_uuid,
        'name', r.name, 'duration', {_DURATION}, 'params', {_PARAMS}, 'metrics', {_METRICS}, 'tags', {_TAGS})), '[]')
        ))::text
    FROM (SELECT run_uuid, name, start_time, end_time FROM runs AS r WHERE experiment_id = %s
          AND lifecycle_stage = 'active' ORDER BY {_BY_METRIC.replace("{mark}", "%s")}) AS r""",
    "newest": f"""
    SELECT json_build_object('runs', json_build_object('nodes', coalesce(json_agg(json_build_object('runId', r.run_uuid,
        'name', r.name, 'params', {_PARAMS})), '[]')))::text
    FROM (SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC LIMIT %s) AS r""",
    "point": """
    SELECT json_build_object('run', (SELECT json_build_object('runId', run_uuid, 'name', name, 'status', status)
        FROM runs WHERE run_uuid = %s))::text""",
}
for statements in (SQLITE, POSTGRES, POSTGRES_JSON):  # whole texts, so that nothing is put together at a request
    by_metric = statements["comparison"]
    statements |= {f"comparison {way}": by_metric.replace("{direction}", way) for way in ("ASC", "DESC")}
