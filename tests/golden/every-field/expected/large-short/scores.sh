#!/usr/bin/env bash
# every-field/large-short · scores · evaluate. Written by `recipe compile recipes/every-field.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/every-field/large-short/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/every-field/large-short/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/every-field/large-short/pictures/classes.json \
  --metrics accuracy f1
