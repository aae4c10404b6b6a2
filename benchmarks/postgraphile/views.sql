-- What PostGraphile serves: MLflow's tables, in a schema beside them, without what a client must not see. PostgreSQL
-- puts such views into the statements that ask them, so that they cost nothing. Smart tags say how they are connected.
CREATE SCHEMA benchmark;

CREATE VIEW benchmark.models AS
    SELECT name FROM public.registered_models AS m WHERE workspace = 'default' AND NOT EXISTS (
        SELECT 1 FROM public.registered_model_tags AS t WHERE t.workspace = 'default' AND t.name = m.name
        AND t.key = 'mlflow.prompt.is_prompt' AND t.value = 'true');
COMMENT ON VIEW benchmark.models IS '@primaryKey name';

CREATE VIEW benchmark.versions AS
    SELECT name AS model, version, current_stage, storage_location, run_id FROM public.model_versions
    WHERE workspace = 'default' AND current_stage <> 'Deleted_Internal';
COMMENT ON VIEW benchmark.versions IS E'@primaryKey model,version\n'
    '@foreignKey (model) references benchmark.models (name)|@foreignFieldName versions\n'
    '@foreignKey (run_id) references benchmark.runs (run_id)|@fieldName run|@foreignFieldName versions';

CREATE VIEW benchmark.experiments AS
    SELECT experiment_id, name FROM public.experiments WHERE workspace = 'default';
COMMENT ON VIEW benchmark.experiments IS '@primaryKey experiment_id';

CREATE VIEW benchmark.runs AS
    SELECT run_uuid AS run_id, name, status, start_time, end_time, lifecycle_stage, experiment_id FROM public.runs;
COMMENT ON VIEW benchmark.runs IS E'@primaryKey run_id\n'
    '@foreignKey (experiment_id) references benchmark.experiments (experiment_id)'
    '|@fieldName experiment|@foreignFieldName runs';

CREATE VIEW benchmark.params AS SELECT run_uuid AS run_id, key, value FROM public.params;
COMMENT ON VIEW benchmark.params IS E'@primaryKey run_id,key\n'
    '@foreignKey (run_id) references benchmark.runs (run_id)|@foreignFieldName params';

CREATE VIEW benchmark.metrics AS
    SELECT run_uuid AS run_id, key, CASE WHEN NOT is_nan AND abs(value) < 1.7976931348623157e308 THEN value END AS value
    FROM public.latest_metrics;
COMMENT ON VIEW benchmark.metrics IS E'@primaryKey run_id,key\n'
    '@foreignKey (run_id) references benchmark.runs (run_id)|@foreignFieldName metrics';

CREATE VIEW benchmark.tags AS
    SELECT run_uuid AS run_id, key, value FROM public.tags WHERE NOT starts_with(key, 'mlflow.');
COMMENT ON VIEW benchmark.tags IS E'@primaryKey run_id,key\n'
    '@foreignKey (run_id) references benchmark.runs (run_id)|@foreignFieldName tags';

-- The stage of a version, in capitals.
CREATE FUNCTION benchmark.versions_stage(version benchmark.versions) RETURNS text LANGUAGE sql STABLE
    AS 'SELECT upper(version.current_stage)';

-- The runs of an experiment by a metric, the lowest first, or the highest where `sign` is -1.
CREATE FUNCTION benchmark.runs_by_metric(experiment int, metric text, sign int) RETURNS SETOF benchmark.runs
    LANGUAGE sql STABLE AS $$
        SELECT * FROM benchmark.runs AS r WHERE experiment_id = experiment AND lifecycle_stage = 'active'
        ORDER BY sign * (SELECT value FROM public.latest_metrics AS l
                         WHERE l.key = metric AND l.run_uuid = r.run_id AND NOT is_nan) NULLS LAST, run_id
    $$;
