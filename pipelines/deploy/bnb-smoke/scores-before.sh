#!/usr/bin/env bash
# deploy/bnb-smoke · scores-before · evaluate. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/bnb-smoke/scores-before.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/deploy/bnb-smoke/before/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/deploy/bnb-smoke/questions/classes.json \
  --metrics accuracy f1 precision recall
