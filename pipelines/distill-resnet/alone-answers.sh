#!/usr/bin/env bash
# distill-resnet · alone-answers · predict. Written by `recipe compile recipes/distill-resnet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-resnet/alone-answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.answer \
  --student outputs/distill-resnet/alone/student \
  --data outputs/distill-resnet/data/validation.jsonl \
  --classes outputs/distill-resnet/data/classes.json \
  --batch 64 \
  --to "$RECIPE_OUT/result"
