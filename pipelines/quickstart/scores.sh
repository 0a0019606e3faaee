#!/usr/bin/env bash
# quickstart · scores · evaluate. Written by `recipe compile recipes/quickstart.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/quickstart/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/quickstart/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/quickstart/data/classes.json \
  --metrics accuracy f1 precision recall
