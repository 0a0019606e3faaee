#!/usr/bin/env bash
# classify-multilabel/smoke · scores · evaluate. Written by `recipe compile recipes/classify-multilabel.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify-multilabel/smoke/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.tags \
  --predictions outputs/classify-multilabel/smoke/answers/predictions.jsonl \
  --thresholds-from outputs/classify-multilabel/smoke/tried/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/classify-multilabel/smoke/data/classes.json \
  --metrics accuracy f1 precision recall map
