#!/usr/bin/env bash
# animals-lora/trl-smoke · train · sft. Written by `recipe compile recipes/animals-lora.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-lora/trl-smoke/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export RECIPE_PLAN=pipelines/animals-lora/trl-smoke/train.json

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/animals-lora/trl-smoke/train.accelerate.json \
  -m runners.trl_sft \
  --model_name_or_path .recipe/models/tiny--qwen2-vl \
  --processor .recipe/models/tiny--qwen2-vl \
  --dtype float32 \
  --bf16 false \
  --fp16 false \
  --attn_implementation sdpa \
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
  --train_dataset outputs/animals-lora/trl-smoke/data/train.jsonl \
  --eval_dataset outputs/animals-lora/trl-smoke/data/validation.jsonl \
  --image_folder outputs/animals-lora/trl-smoke/data \
  --max_length 2048 \
  --too_long error \
  --optim adamw_torch_fused \
  --lr_scheduler_type cosine \
  --weight_decay 0.01 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 2.0 \
  --max_steps 4 \
  --per_device_train_batch_size 1 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing true \
  --save_total_limit 3 \
  --freeze_vision true \
  --freeze_aligner true \
  --freeze_language false \
  --learning_rate 0.0001 \
  --warmup_steps 0.03 \
  --gradient_accumulation_steps 8 \
  --save_strategy steps \
  --save_steps 2 \
  --eval_strategy steps \
  --eval_steps 2 \
  --metric_for_best_model eval_loss \
  --greater_is_better false \
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
  --logging_steps 1 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
