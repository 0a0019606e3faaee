#!/usr/bin/env bash
# answers · looks · check. Written by `recipe compile recipes/answers.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/answers/looks.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict.check \
  --model .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --dtype bfloat16 \
  --attention sdpa \
  --max_pixels 1003520 \
  --min_pixels 3136 \
  --data outputs/answers/data/train.jsonl \
  --batch 4 \
  --max_new_tokens 8 \
  --to "$RECIPE_OUT/result"
