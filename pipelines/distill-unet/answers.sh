#!/usr/bin/env bash
# distill-unet · answers · predict. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.answer \
  --student outputs/distill-unet/small/student \
  --data outputs/distill-unet/data/validation.jsonl \
  --classes outputs/distill-unet/data/classes.json \
  --batch 8 \
  --to "$RECIPE_OUT/result"
