#!/usr/bin/env bash
# delivery · served · deploy. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/served.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.ask \
  --data outputs/delivery/questions/validation.jsonl \
  --max_new_tokens 32 \
  --start_timeout 900 \
  --to "$RECIPE_OUT/result" \
  --start swift \
  deploy \
  --model outputs/delivery/gptq/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --infer_backend vllm \
  --vllm_max_num_seqs 64 \
  --vllm_max_model_len 8192 \
  --vllm_gpu_memory_utilization 0.8 \
  --vllm_tensor_parallel_size 2 \
  --vllm_engine_kwargs '{"max_num_batched_tokens": 8192}' \
  --max_length 8192 \
  --served_model_name delivery \
  --seed 42 \
  --use_chat_template true \
  --template_backend swift \
  --truncation_strategy delete \
  --merge_lora false \
  --verbose false \
  --log_interval -1 \
  --use_hf false \
  --load_args false \
  --vllm_enable_prefix_caching true
