#!/usr/bin/env bash
# qwen2-vl-grpo/7b-test-swift · train · grpo. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/7b-test-swift/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=12845056
export MIN_PIXELS=3136
export NPROC_PER_NODE=8
export RECIPE_PLAN=pipelines/qwen2-vl-grpo/7b-test-swift/train.json

python -m runners.rewards.plugin \
  --config pipelines/qwen2-vl-grpo/7b-test-swift/train.rewards.json \
  --data outputs/qwen2-vl-grpo/7b-test-swift/data/train.jsonl \
  --to "$RECIPE_OUT/reward_plugin.py"

[ -n "${RECIPE_TRAINED:-}" ] || swift rlhf \
  --model .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --bf16 true \
  --fp16 false \
  --attn_impl sdpa \
  --tuner_type lora \
  --lora_rank 16 \
  --lora_alpha 32 \
  --lora_dropout 0.05 \
  --lora_bias none \
  --init_weights true \
  --use_rslora false \
  --use_dora false \
  --target_modules all-linear \
  --dataset outputs/qwen2-vl-grpo/7b-test-swift/data/train.jsonl \
  --num_generations 2 \
  --max_length 512 \
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
  --vit_gradient_checkpointing true \
  --save_total_limit 2 \
  --freeze_vit true \
  --freeze_aligner true \
  --freeze_llm false \
  --rlhf_type grpo \
  --external_plugins "$RECIPE_OUT/reward_plugin.py" pipelines/watch.py \
  --reward_funcs exact format \
  --reward_weights 1.0 1.0 \
  --top_k -1 \
  --truncation_strategy delete \
  --steps_per_generation 4 \
  --use_vllm false \
  --learning_rate 1e-05 \
  --warmup_ratio 0.03 \
  --gradient_accumulation_steps 4 \
  --save_strategy steps \
  --save_steps 100 \
  --eval_strategy no \
  --seed 42 \
  --data_seed 42 \
  --tuner_backend peft \
  --freeze_parameters_ratio 0.0 \
  --template_backend swift \
  --use_chat_template true \
  --add_non_thinking_prefix true \
  --disable_ignore_empty_think false \
  --loss_scale last_round \
  --enable_dft_loss false \
  --router_aux_loss_coef 0.0 \
  --padding_side right \
  --padding_free false \
  --sequence_parallel_size 1 \
  --disable_auto_column_mapping false \
  --dataset_shuffle true \
  --val_dataset_shuffle false \
  --train_dataloader_shuffle true \
  --group_by_length false \
  --split_dataset_ratio 0.0 \
  --streaming false \
  --strict true \
  --load_from_cache_file false \
  --remove_unused_columns false \
  --dataloader_drop_last true \
  --dataloader_in_order true \
  --dataloader_persistent_workers false \
  --label_smoothing_factor 0.0 \
  --average_tokens_across_devices true \
  --auto_find_batch_size false \
  --use_liger_kernel false \
  --torch_compile false \
  --full_determinism false \
  --eval_on_start false \
  --eval_delay 0.0 \
  --eval_do_concat_batches true \
  --prediction_loss_only false \
  --predict_with_generate false \
  --acc_strategy token \
  --load_best_model_at_end false \
  --save_only_model false \
  --resume_only_model false \
  --ignore_data_skip false \
  --safe_serialization true \
  --max_shard_size 5GB \
  --use_hf false \
  --load_args false \
  --check_model false \
  --add_version false \
  --create_checkpoint_symlink false \
  --advantage_estimator grpo \
  --kl_in_reward false \
  --importance_sampling_level token \
  --min_p 0.0 \
  --repetition_penalty 1.0 \
  --dynamic_sample false \
  --overlong_filter false \
  --top_entropy_quantile 1.0 \
  --sync_ref_model false \
  --async_generate false \
  --log_completions false \
  --ds3_gather_for_generation true \
  --deepspeed pipelines/qwen2-vl-grpo/7b-test-swift/train.deepspeed.json \
  --use_cpu false \
  --dataloader_num_workers 4 \
  --logging_strategy steps \
  --logging_steps 1 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"} \
  --callbacks recipe

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last
