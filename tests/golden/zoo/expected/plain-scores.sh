#!/usr/bin/env bash
# zoo · plain-scores · evaluate. Written by `recipe compile recipes/zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zoo/plain-scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.tags \
  --predictions outputs/zoo/tried/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/zoo/photo-rows/classes.json \
  --metrics f1
