#!/usr/bin/env bash
# distill-unet/smoke · small · distill. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/smoke/small.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

python -m runners.distill.remember \
  --config pipelines/distill-unet/smoke/small.distill.json \
  --data outputs/distill-unet/smoke/data/train.jsonl \
  --validation outputs/distill-unet/smoke/data/validation.jsonl \
  --classes outputs/distill-unet/smoke/data/classes.json \
  --teacher .recipe/models/tiny--qwen2-vl

[ -n "${RECIPE_TRAINED:-}" ] || python -m runners.distill.train \
  --config pipelines/distill-unet/smoke/small.distill.json \
  --data outputs/distill-unet/smoke/data/train.jsonl \
  --validation outputs/distill-unet/smoke/data/validation.jsonl \
  --classes outputs/distill-unet/smoke/data/classes.json \
  --teacher .recipe/models/tiny--qwen2-vl \
  --logging_steps 1000000000 \
  --logging_strategy epoch \
  --report_to tensorboard \
  --save_total_limit 1 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill-unet/smoke/small.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
