#!/usr/bin/env bash
# classify · scores · evaluate. Written by `recipe compile recipes/classify.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/classify/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/classify/data/classes.json \
  --metrics accuracy f1 precision recall
