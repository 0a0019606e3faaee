#!/usr/bin/env bash
# dense · finder · distill. Written by `recipe compile recipes/dense.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dense/finder.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.remember \
  --config pipelines/dense/finder.distill.json \
  --data outputs/dense/boxes/train.jsonl \
  --classes outputs/dense/boxes/classes.json \
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct

[ -n "${RECIPE_TRAINED:-}" ] || python -m runners.distill.train \
  --config pipelines/dense/finder.distill.json \
  --data outputs/dense/boxes/train.jsonl \
  --classes outputs/dense/boxes/classes.json \
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --logging_steps 5 \
  --logging_strategy steps \
  --report_to tensorboard \
  --save_total_limit 2 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/dense/finder.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result"
