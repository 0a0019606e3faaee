#!/usr/bin/env bash
# animals-zoo/older-smoke · scores · evaluate. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/older-smoke/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/animals-zoo/older-smoke/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/animals-zoo/older-smoke/data/classes.json \
  --metrics accuracy f1 precision recall
