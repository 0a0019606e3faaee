#!/usr/bin/env bash
# distill-vit · alone-answers · predict. Written by `recipe compile recipes/distill-vit.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-vit/alone-answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.answer \
  --student outputs/distill-vit/alone/student \
  --data outputs/distill-vit/data/validation.jsonl \
  --classes outputs/distill-vit/data/classes.json \
  --batch 64 \
  --to "$RECIPE_OUT/result"
