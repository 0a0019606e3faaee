#!/usr/bin/env bash
# dense · found-scores · evaluate. Written by `recipe compile recipes/dense.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dense/found-scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.distill.score \
  --predictions outputs/dense/found/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/dense/boxes/classes.json
