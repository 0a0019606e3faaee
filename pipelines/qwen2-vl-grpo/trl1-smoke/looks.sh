#!/usr/bin/env bash
# qwen2-vl-grpo/trl1-smoke · looks · check. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/trl1-smoke/looks.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

python -m runners.predict.check \
  --model .recipe/models/tiny--llava1.5-hf \
  --dtype float32 \
  --attention sdpa \
  --image_folder outputs/qwen2-vl-grpo/trl1-smoke/data \
  --data outputs/qwen2-vl-grpo/trl1-smoke/data/train.jsonl \
  --batch 2 \
  --max_new_tokens 64 \
  --to "$RECIPE_OUT/result"
