#!/usr/bin/env bash
# animals-zoo/old-smoke · scores · evaluate. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/old-smoke/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/animals-zoo/old-smoke/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/animals-zoo/old-smoke/data/classes.json \
  --metrics accuracy f1 precision recall
