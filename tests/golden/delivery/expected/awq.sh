#!/usr/bin/env bash
# delivery · awq · quantize. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/awq.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

swift export \
  --model .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --quant_method awq \
  --quant_bits 4 \
  --group_size 128 \
  --dataset outputs/delivery/questions/train.jsonl \
  --quant_n_samples 256 \
  --quant_batch_size 1 \
  --max_length 2048 \
  --torch_dtype bfloat16 \
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
  --before .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --from "$RECIPE_OUT/quantized" \
  --to "$RECIPE_OUT/result"
