#!/usr/bin/env bash
# Runs a command for each promotion to Production since the last one that it handled, the oldest first.
#
#   poll.sh POSITION COMMAND…
#
# POSITION is a file with the ID of the last event that was handled; where it is missing, that is the latest one.
# The command finds the facts in its environment. Where it fails, this ends, and begins there the next time.
#
#   LINEAGE_API_URL     where GraphQL is answered, such as https://lineage.example.org/graphql
#   LINEAGE_API_MODELS  only these registered models, such as ["churn", "nyc-flights-regressor"]; all, when empty
#   LINEAGE_API_TOKEN   sent as a bearer token; may be empty
set -euo pipefail
position=$1
shift

promotions='query Promotions($after: ID, $models: [String!]) {
  registryEvents(orderBy: OLDEST_FIRST, afterEvent: $after, toStages: [PRODUCTION], models: $models) {
    nodes {
      id occurredAt actor reason modelName version
      modelVersion { stage artifactUri run { runId code { commit } } }
    }
    pageInfo { hasNextPage }
  }
}'

# As NAME=VALUE, with a NUL behind each.
facts='{
  EVENT_ID: .id, PROMOTED_AT: .occurredAt, PROMOTED_BY: .actor, REASON: .reason,
  MODEL_NAME: .modelName, MODEL_VERSION: .version,
  STAGE: .modelVersion.stage, ARTIFACT_URI: .modelVersion.artifactUri,
  RUN_ID: .modelVersion.run.runId, GIT_COMMIT: .modelVersion.run.code.commit
} | to_entries[] | "\(.key)=\(.value // "" | tostring | split("\u0000") | join(""))\u0000"'

ask() { # QUERY VARIABLES: the data of the answer
  jq --null-input --arg query "$1" --argjson variables "$2" '{$query, $variables}' |
    curl --silent --show-error --fail-with-body --max-time 60 --data-binary @- \
      --header 'content-type: application/json' \
      --header @<(printf '%s' "${LINEAGE_API_TOKEN:+authorization: Bearer $LINEAGE_API_TOKEN}") \
      "$LINEAGE_API_URL" |
    jq 'if .errors then error(.errors[0].message) else .data end'
}

remember() { # ID
  printf '%s' "$1" >"$position.new"
  mv "$position.new" "$position"
  echo moved=true >>"${GITHUB_OUTPUT:-/dev/null}"
}

if [[ ! -e $position ]]; then
  latest=$(ask '{ registryEvents(first: 1) { nodes { id } } }' '{}')
  remember "$(jq --raw-output '.registryEvents.nodes[0].id // ""' <<<"$latest")"
fi

has_more=true
while $has_more; do
  variables=$(jq --null-input --arg after "$(<"$position")" --argjson models "${LINEAGE_API_MODELS:-null}" \
    '{$models, after: (if $after == "" then null else $after end)}')
  page=$(ask "$promotions" "$variables")
  while IFS= read -r event <&3; do
    mapfile -d '' environment < <(jq --join-output "$facts" <<<"$event")
    env "${environment[@]}" "$@" 3<&- </dev/null
    remember "$(jq --raw-output .id <<<"$event")"
  done 3< <(jq --compact-output '.registryEvents.nodes[]' <<<"$page")
  has_more=$(jq .registryEvents.pageInfo.hasNextPage <<<"$page")
done
