#!/usr/bin/env bash
# qwen2-vl-grpo/72b-full-trl · looks · check. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/72b-full-trl/looks.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict.check \
  --model .recipe/models/Qwen--Qwen2-VL-72B-Instruct \
  --dtype bfloat16 \
  --attention sdpa \
  --max_pixels 12845056 \
  --min_pixels 3136 \
  --data outputs/qwen2-vl-grpo/72b-full-trl/data/train.jsonl \
  --batch 2 \
  --max_new_tokens 64 \
  --to "$RECIPE_OUT/result"
