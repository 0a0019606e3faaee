#!/usr/bin/env bash
# distill-vit · small · distill. Written by `recipe compile recipes/distill-vit.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-vit/small.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.remember \
  --config pipelines/distill-vit/small.distill.json \
  --data outputs/distill-vit/data/train.jsonl \
  --validation outputs/distill-vit/data/validation.jsonl \
  --classes outputs/distill-vit/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct

[ -n "${RECIPE_TRAINED:-}" ] || python -m runners.distill.train \
  --config pipelines/distill-vit/small.distill.json \
  --data outputs/distill-vit/data/train.jsonl \
  --validation outputs/distill-vit/data/validation.jsonl \
  --classes outputs/distill-vit/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --pretrained .recipe/models/timm--vit_base_patch16_224.augreg2_in21k_ft_in1k \
  --logging_steps 1000000000 \
  --logging_strategy epoch \
  --report_to tensorboard \
  --save_total_limit 2 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill-vit/small.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
