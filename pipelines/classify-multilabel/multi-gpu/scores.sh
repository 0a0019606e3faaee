#!/usr/bin/env bash
# classify-multilabel/multi-gpu · scores · evaluate. Written by `recipe compile recipes/classify-multilabel.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify-multilabel/multi-gpu/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.tags \
  --predictions outputs/classify-multilabel/multi-gpu/answers/predictions.jsonl \
  --thresholds-from outputs/classify-multilabel/multi-gpu/tried/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/classify-multilabel/multi-gpu/data/classes.json \
  --metrics accuracy f1 precision recall map
