#!/usr/bin/env bash
# okvqa-entity-path/smoke · plain-scores · evaluate. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/smoke/plain-scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.agreement \
  --predictions outputs/okvqa-entity-path/smoke/plain-answers/predictions.jsonl \
  --to "$RECIPE_OUT/result"
