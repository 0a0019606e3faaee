#!/usr/bin/env bash
# paths · why · synthesize. Written by `recipe compile recipes/paths.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/paths/why.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.synthesize \
  --model .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --dtype bfloat16 \
  --attention sdpa \
  --predictions outputs/paths/beams/predictions.jsonl \
  --data outputs/paths/data/train.jsonl \
  --held_out outputs/paths/data/validation.jsonl \
  --config pipelines/paths/why.synthesize.json \
  --work "$RECIPE_OUT/kept/paths.jsonl" \
  --to "$RECIPE_OUT/result"
