#!/usr/bin/env bash
# hardware/cpu · data · prepare. Written by `recipe compile recipes/hardware.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/hardware/cpu/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/hardware/cpu/data.prepare.json \
  --to "$RECIPE_OUT/result"
