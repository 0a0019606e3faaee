#!/usr/bin/env bash
# deploy/vllm · served · deploy. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/vllm/served.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.ask \
  --data outputs/deploy/vllm/questions/validation.jsonl \
  --max_new_tokens 64 \
  --start_timeout 600 \
  --to "$RECIPE_OUT/result" \
  --start vllm \
  serve \
  .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --served-model-name deploy \
  --dtype bfloat16 \
  --max-num-seqs 256 \
  --max-num-batched-tokens 16384 \
  --max-model-len 4096 \
  --gpu-memory-utilization 0.9 \
  --tensor-parallel-size 1 \
  --seed 42
