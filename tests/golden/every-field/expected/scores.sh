#!/usr/bin/env bash
# every-field · scores · evaluate. Written by `recipe compile recipes/every-field.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/every-field/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/every-field/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/every-field/pictures/classes.json \
  --metrics accuracy f1
