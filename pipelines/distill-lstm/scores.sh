#!/usr/bin/env bash
# distill-lstm · scores · evaluate. Written by `recipe compile recipes/distill-lstm.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-lstm/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/distill-lstm/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-lstm/data/classes.json \
  --metrics accuracy f1 precision recall
