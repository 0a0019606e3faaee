#!/usr/bin/env bash
# qwen2-vl-grpo/trl1-smoke · warm · sft. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/trl1-smoke/warm.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export RECIPE_PLAN=pipelines/qwen2-vl-grpo/trl1-smoke/warm.json

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/qwen2-vl-grpo/trl1-smoke/warm.accelerate.json \
  -m runners.trl_sft \
  --model_name_or_path "${RECIPE_RESUME:-.recipe/models/tiny--llava1.5-hf}" \
  --processor .recipe/models/tiny--llava1.5-hf \
  --dtype float32 \
  --bf16 false \
  --fp16 false \
  --attn_implementation sdpa \
  --use_peft false \
  --train_dataset outputs/qwen2-vl-grpo/trl1-smoke/guesses/train.jsonl \
  --image_folder outputs/qwen2-vl-grpo/trl1-smoke/guesses \
  --max_length 2048 \
  --too_long error \
  --optim adamw_torch_fused \
  --lr_scheduler_type constant \
  --weight_decay 0.0 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 100.0 \
  --max_steps 120 \
  --per_device_train_batch_size 16 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing false \
  --save_total_limit 2 \
  --freeze_vision false \
  --freeze_aligner false \
  --freeze_language false \
  --learning_rate 0.002 \
  --warmup_steps 0.0 \
  --gradient_accumulation_steps 1 \
  --save_strategy steps \
  --save_steps 1000000000 \
  --eval_strategy no \
  --seed 42 \
  --data_seed 42 \
  --trust_remote_code false \
  --completion_only_loss true \
  --assistant_only_loss false \
  --loss_type nll \
  --packing false \
  --padding_free false \
  --shuffle_dataset false \
  --train_sampling_strategy random \
  --dataloader_drop_last false \
  --dataloader_in_order true \
  --dataloader_persistent_workers false \
  --label_smoothing_factor 0.0 \
  --average_tokens_across_devices true \
  --auto_find_batch_size false \
  --activation_offloading false \
  --use_liger_kernel false \
  --torch_compile false \
  --full_determinism false \
  --bf16_full_eval false \
  --fp16_full_eval false \
  --eval_on_start false \
  --eval_delay 0.0 \
  --eval_do_concat_batches true \
  --prediction_loss_only false \
  --load_best_model_at_end false \
  --save_only_model false \
  --ignore_data_skip false \
  --push_to_hub false \
  --use_cpu true \
  --dataloader_num_workers 0 \
  --logging_strategy steps \
  --logging_steps 5 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last
