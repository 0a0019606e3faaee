#!/usr/bin/env bash
# delivery · served-vllm · serve. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# From the project's root, when the stages before have run: bash pipelines/delivery/served-vllm.serve.sh [--port 8001 …]
set -euo pipefail
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

vllm serve \
  outputs/delivery/fp8/model \
  --served-model-name delivery \
  --dtype bfloat16 \
  --max-num-seqs 256 \
  --max-model-len 4096 \
  --gpu-memory-utilization 0.9 \
  --tensor-parallel-size 1 \
  --seed 42 \
  --host 127.0.0.1 \
  --port 8000 \
  "$@"
