#!/usr/bin/env bash
# qwen2-vl-grpo/2b-test-swift · merged · merge. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/2b-test-swift/merged.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=12845056
export MIN_PIXELS=3136

swift export \
  --model .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --adapters outputs/qwen2-vl-grpo/2b-test-swift/train/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
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
