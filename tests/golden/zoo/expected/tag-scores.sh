#!/usr/bin/env bash
# zoo · tag-scores · evaluate. Written by `recipe compile recipes/zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zoo/tag-scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.tags \
  --predictions outputs/zoo/tagged/predictions.jsonl \
  --thresholds-from outputs/zoo/tried/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/zoo/photo-rows/classes.json \
  --metrics accuracy f1 precision recall map
