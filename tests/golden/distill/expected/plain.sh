#!/usr/bin/env bash
# distill · plain · distill. Written by `recipe compile recipes/distill.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill/plain.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

accelerate launch \
  --config_file pipelines/distill/plain.accelerate.json \
  -m runners.distill.remember \
  --config pipelines/distill/plain.distill.json \
  --data outputs/distill/data/train.jsonl \
  --classes outputs/distill/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen3-VL-8B-Instruct

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/distill/plain.accelerate.json \
  -m runners.distill.train \
  --config pipelines/distill/plain.distill.json \
  --data outputs/distill/data/train.jsonl \
  --classes outputs/distill/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen3-VL-8B-Instruct \
  --logging_steps 5 \
  --logging_strategy steps \
  --report_to tensorboard \
  --save_total_limit 2 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill/plain.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result"
