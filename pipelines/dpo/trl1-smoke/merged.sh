#!/usr/bin/env bash
# dpo/trl1-smoke · merged · merge. Written by `recipe compile recipes/dpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dpo/trl1-smoke/merged.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

swift export \
  --model .recipe/models/tiny--qwen3 \
  --adapters outputs/dpo/trl1-smoke/preferring/model \
  --model_type qwen3 \
  --template qwen3 \
  --task_type causal_lm \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --seed 42 \
  --merge_lora true \
  --use_chat_template true \
  --safe_serialization true \
  --max_shard_size 5GB \
  --exist_ok false \
  --tuner_type lora \
  --template_backend swift \
  --device_map cpu \
  --use_hf false \
  --load_args false \
  --output_dir "$RECIPE_OUT/merged"

python -m runners.collect model \
  --from "$RECIPE_OUT/merged" \
  --to "$RECIPE_OUT/result"
