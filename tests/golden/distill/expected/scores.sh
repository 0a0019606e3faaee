#!/usr/bin/env bash
# distill · scores · evaluate. Written by `recipe compile recipes/distill.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/distill/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill/data/classes.json \
  --metrics accuracy f1 precision recall
