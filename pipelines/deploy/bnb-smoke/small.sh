#!/usr/bin/env bash
# deploy/bnb-smoke · small · quantize. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/bnb-smoke/small.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

swift export \
  --model outputs/deploy/bnb-smoke/taught/model \
  --model_type llava1_5_hf \
  --template llava1_5_hf \
  --task_type causal_lm \
  --quant_method bnb \
  --quant_bits 8 \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --seed 42 \
  --data_seed 42 \
  --use_chat_template true \
  --template_backend swift \
  --safe_serialization true \
  --max_shard_size 5GB \
  --exist_ok false \
  --merge_lora false \
  --dataset_shuffle false \
  --load_from_cache_file false \
  --use_hf false \
  --load_args false \
  --output_dir "$RECIPE_OUT/quantized"

python -m runners.quantized \
  --before outputs/deploy/bnb-smoke/taught/model \
  --from "$RECIPE_OUT/quantized" \
  --to "$RECIPE_OUT/result"
