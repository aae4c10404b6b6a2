# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/lineage-api
ENV PATH="/opt/lineage-api/bin:$PATH" \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
# What it depends on changes less often than what it is.
COPY pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    print(*p['dependencies'], *p['optional-dependencies']['postgres'], sep='\n')" > requirements.txt \
    && pip install -r requirements.txt
COPY README.md LICENSE ./
COPY lineage_api lineage_api
RUN pip install --no-deps .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home lineage && install -d -o lineage /data
COPY --from=build /opt/lineage-api /opt/lineage-api
ENV PATH="/opt/lineage-api/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    LINEAGE_API_BACKEND_STORE_URI=sqlite:////data/mlflow.db \
    LINEAGE_API_DEFAULT_ARTIFACT_ROOT=/data/artifacts \
    LINEAGE_API_HOST=0.0.0.0
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=6s --start-period=40s CMD ["lineage-api", "healthcheck"]
ENTRYPOINT ["lineage-api"]
CMD ["serve"]
