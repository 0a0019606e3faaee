#!/usr/bin/env bash
# deploy/vllm · served · serve. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# From the project's root, when the stages before have run: bash pipelines/deploy/vllm/served.serve.sh [--port 8001 …]
set -euo pipefail
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

vllm serve \
  .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --served-model-name deploy \
  --dtype bfloat16 \
  --max-num-seqs 256 \
  --max-num-batched-tokens 16384 \
  --max-model-len 4096 \
  --gpu-memory-utilization 0.9 \
  --tensor-parallel-size 1 \
  --seed 42 \
  --host 127.0.0.1 \
  --port 8000 \
  "$@"
