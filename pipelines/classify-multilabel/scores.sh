#!/usr/bin/env bash
# classify-multilabel · scores · evaluate. Written by `recipe compile recipes/classify-multilabel.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify-multilabel/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.tags \
  --predictions outputs/classify-multilabel/answers/predictions.jsonl \
  --thresholds-from outputs/classify-multilabel/tried/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/classify-multilabel/data/classes.json \
  --metrics accuracy f1 precision recall map
