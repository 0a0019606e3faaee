#!/usr/bin/env bash
# distill · full · distill. Written by `recipe compile recipes/distill.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill/full.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

accelerate launch \
  --config_file pipelines/distill/full.accelerate.json \
  -m runners.distill.remember \
  --config pipelines/distill/full.distill.json \
  --data outputs/distill/data/train.jsonl \
  --validation outputs/distill/data/validation.jsonl \
  --classes outputs/distill/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen3-VL-8B-Instruct \
  --adapter outputs/distill/tuned/model

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/distill/full.accelerate.json \
  -m runners.distill.train \
  --config pipelines/distill/full.distill.json \
  --data outputs/distill/data/train.jsonl \
  --validation outputs/distill/data/validation.jsonl \
  --classes outputs/distill/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen3-VL-8B-Instruct \
  --adapter outputs/distill/tuned/model \
  --pretrained .recipe/models/timm--vit_base_patch16_224.augreg2_in21k_ft_in1k \
  --logging_steps 10 \
  --logging_strategy steps \
  --report_to none \
  --save_total_limit 5 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill/full.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
