#!/usr/bin/env bash
# animals-zoo/llava-1-5-7b · scores · evaluate. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/llava-1-5-7b/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/animals-zoo/llava-1-5-7b/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/animals-zoo/llava-1-5-7b/data/classes.json \
  --metrics accuracy f1 precision recall
