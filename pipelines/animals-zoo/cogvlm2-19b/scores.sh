#!/usr/bin/env bash
# animals-zoo/cogvlm2-19b · scores · evaluate. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/cogvlm2-19b/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/animals-zoo/cogvlm2-19b/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/animals-zoo/cogvlm2-19b/data/classes.json \
  --metrics accuracy f1 precision recall
