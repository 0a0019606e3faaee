#!/usr/bin/env bash
# animals-zoo/older-smoke · merged · merge. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/older-smoke/merged.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

swift export \
  --model .recipe/models/tiny--llava1.5-hf-v4 \
  --adapters outputs/animals-zoo/older-smoke/train/model \
  --model_type llava1_5_hf \
  --template llava1_5_hf \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --attn_impl sdpa \
  --seed 42 \
  --merge_lora true \
  --use_chat_template true \
  --safe_serialization true \
  --max_shard_size 5GB \
  --train_type lora \
  --template_backend swift \
  --device_map cpu \
  --use_hf false \
  --load_args false \
  --output_dir "$RECIPE_OUT/merged"

python -m runners.collect model \
  --from "$RECIPE_OUT/merged" \
  --to "$RECIPE_OUT/result"
