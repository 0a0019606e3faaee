#!/usr/bin/env bash
# deploy/bnb-smoke · served · deploy. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/bnb-smoke/served.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/deploy/bnb-smoke/questions

python -m runners.ask \
  --data outputs/deploy/bnb-smoke/questions/validation.jsonl \
  --max_new_tokens 4 \
  --start_timeout 600 \
  --to "$RECIPE_OUT/result" \
  --start swift \
  deploy \
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
  --load_args false
