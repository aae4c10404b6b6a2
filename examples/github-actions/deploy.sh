#!/usr/bin/env bash
# Deploys a version that was promoted: write here what that is for you. Run a second time, it should do no harm.
#
#   MODEL_NAME, MODEL_VERSION                   which version
#   ARTIFACT_URI, RUN_ID, GIT_COMMIT            where its files are, and what made it; empty where nobody recorded it
#   STAGE                                       where it is now: empty when it is gone, ARCHIVED when another came after
#   EVENT_ID, PROMOTED_AT, PROMOTED_BY, REASON  the promotion
set -euo pipefail

# %q, since a line that begins with `::` is a command to GitHub's runner.
printf 'Deploying %q version %q from %q\n' "$MODEL_NAME" "$MODEL_VERSION" "$ARTIFACT_URI"
