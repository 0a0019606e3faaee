#!/usr/bin/env bash
# distill · alone · distill. Written by `recipe compile recipes/distill.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill/alone.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/distill/alone.accelerate.json \
  -m runners.distill.train \
  --config pipelines/distill/alone.distill.json \
  --data outputs/distill/data/train.jsonl \
  --classes outputs/distill/data/classes.json \
  --pretrained weights/resnet34.pth \
  --logging_steps 5 \
  --logging_strategy steps \
  --report_to tensorboard \
  --save_total_limit 2 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill/alone.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result"
