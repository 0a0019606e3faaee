#!/usr/bin/env bash
# dense · seen-scores · evaluate. Written by `recipe compile recipes/dense.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dense/seen-scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/dense/seen/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/dense/frames/classes.json \
  --metrics accuracy f1 precision recall
