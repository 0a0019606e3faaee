#!/usr/bin/env bash
# qwen2-vl-grpo/7b-test-trl · train · grpo. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/7b-test-trl/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export RECIPE_PLAN=pipelines/qwen2-vl-grpo/7b-test-trl/train.json

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/qwen2-vl-grpo/7b-test-trl/train.accelerate.json \
  --deepspeed_config_file pipelines/qwen2-vl-grpo/7b-test-trl/train.deepspeed.json \
  -m runners.trl_grpo \
  --model_name_or_path .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --processor .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --dtype bfloat16 \
  --bf16 true \
  --fp16 false \
  --attn_implementation sdpa \
  --max_pixels 12845056 \
  --min_pixels 3136 \
  --use_peft true \
  --lora_r 16 \
  --lora_alpha 32 \
  --lora_dropout 0.05 \
  --use_rslora false \
  --use_dora false \
  --lora_target_modules all-linear \
  --lora_task_type CAUSAL_LM \
  --load_in_4bit false \
  --load_in_8bit false \
  --train_dataset outputs/qwen2-vl-grpo/7b-test-trl/data/train.jsonl \
  --num_generations 2 \
  --max_prompt_length 512 \
  --max_completion_length 512 \
  --temperature 0.9 \
  --top_p 1.0 \
  --beta 0.04 \
  --epsilon 0.2 \
  --loss_type grpo \
  --scale_rewards group \
  --num_iterations 1 \
  --optim adamw_torch_fused \
  --lr_scheduler_type cosine \
  --weight_decay 0.01 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 1.0 \
  --max_steps 20 \
  --per_device_train_batch_size 1 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing true \
  --save_total_limit 2 \
  --freeze_vision true \
  --freeze_aligner true \
  --freeze_language false \
  --rewards pipelines/qwen2-vl-grpo/7b-test-trl/train.rewards.json \
  --reward_weights 1.0 1.0 \
  --top_k 0 \
  --steps_per_generation 4 \
  --use_vllm false \
  --learning_rate 1e-05 \
  --warmup_steps 0.03 \
  --gradient_accumulation_steps 4 \
  --save_strategy steps \
  --save_steps 100 \
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
  --use_cpu false \
  --dataloader_num_workers 4 \
  --logging_strategy steps \
  --logging_steps 1 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last
