#!/usr/bin/env bash
# qwen2-vl-grpo/trl-smoke · train · grpo. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/trl-smoke/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export RECIPE_PLAN=pipelines/qwen2-vl-grpo/trl-smoke/train.json

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/qwen2-vl-grpo/trl-smoke/train.accelerate.json \
  -m runners.trl_grpo \
  --model_name_or_path "${RECIPE_RESUME:-outputs/qwen2-vl-grpo/trl-smoke/warm/model}" \
  --processor outputs/qwen2-vl-grpo/trl-smoke/warm/model \
  --dtype float32 \
  --bf16 false \
  --fp16 false \
  --attn_implementation sdpa \
  --use_peft false \
  --train_dataset outputs/qwen2-vl-grpo/trl-smoke/data/train.jsonl \
  --image_folder outputs/qwen2-vl-grpo/trl-smoke/data \
  --num_generations 8 \
  --max_prompt_length 64 \
  --max_completion_length 8 \
  --temperature 1.0 \
  --top_p 1.0 \
  --beta 0.0 \
  --epsilon 0.2 \
  --loss_type grpo \
  --scale_rewards group \
  --num_iterations 1 \
  --optim adamw_torch_fused \
  --lr_scheduler_type constant \
  --weight_decay 0.0 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 100.0 \
  --max_steps 150 \
  --per_device_train_batch_size 32 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing false \
  --save_total_limit 2 \
  --freeze_vision false \
  --freeze_aligner false \
  --freeze_language false \
  --rewards pipelines/qwen2-vl-grpo/trl-smoke/train.rewards.json \
  --reward_weights 1.0 0.1 \
  --top_k 0 \
  --steps_per_generation 1 \
  --use_vllm false \
  --learning_rate 0.001 \
  --warmup_steps 0.0 \
  --gradient_accumulation_steps 1 \
  --save_strategy steps \
  --save_steps 1000000000 \
  --eval_strategy no \
  --seed 42 \
  --data_seed 42 \
  --trust_remote_code false \
  --shuffle_dataset true \
  --remove_unused_columns false \
  --disable_dropout false \
  --cast_lm_head_to_fp32 false \
  --min_p 0.0 \
  --repetition_penalty 1.0 \
  --multi_objective_aggregation sum_then_normalize \
  --importance_sampling_level token \
  --mask_truncated_completions false \
  --top_entropy_quantile 1.0 \
  --use_bias_correction_kl false \
  --sync_ref_model false \
  --use_transformers_paged false \
  --log_completions false \
  --ds3_gather_for_generation true \
  --dataloader_drop_last false \
  --dataloader_in_order true \
  --dataloader_persistent_workers false \
  --label_smoothing_factor 0.0 \
  --average_tokens_across_devices true \
  --auto_find_batch_size false \
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
  --logging_steps 1 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last
