#!/usr/bin/env bash
# deploy/bnb-smoke · served · serve. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# From the project's root, when the stages before have run: bash pipelines/deploy/bnb-smoke/served.serve.sh [--port 8001 …]
set -euo pipefail
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/deploy/bnb-smoke/questions

swift deploy \
  --model outputs/deploy/bnb-smoke/small/model \
  --model_type llava1_5_hf \
  --template llava1_5_hf \
  --task_type causal_lm \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --infer_backend transformers \
  --max_batch_size 2 \
  --max_length 512 \
  --served_model_name deploy \
  --seed 42 \
  --use_chat_template true \
  --template_backend swift \
  --truncation_strategy delete \
  --merge_lora false \
  --verbose false \
  --log_interval -1 \
  --use_hf false \
  --load_args false \
  --host 127.0.0.1 \
  --port 8000 \
  "$@"
