#!/usr/bin/env bash
# distill-lstm/smoke · scores · evaluate. Written by `recipe compile recipes/distill-lstm.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-lstm/smoke/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/distill-lstm/smoke/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-lstm/smoke/data/classes.json \
  --metrics accuracy f1 precision recall
