#!/usr/bin/env bash
# classify/multi-gpu · scores · evaluate. Written by `recipe compile recipes/classify.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify/multi-gpu/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/classify/multi-gpu/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/classify/multi-gpu/data/classes.json \
  --metrics accuracy f1 precision recall
