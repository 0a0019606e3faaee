#!/usr/bin/env bash
# trl · train · sft. Written by `recipe compile recipes/trl.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/trl/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export RECIPE_PLAN=pipelines/trl/train.json

[ -n "${RECIPE_TRAINED:-}" ] || accelerate launch \
  --config_file pipelines/trl/train.accelerate.json \
  --deepspeed_config_file pipelines/trl/train.deepspeed.json \
  -m runners.trl_sft \
  --model_name_or_path .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --processor .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --dtype bfloat16 \
  --bf16 true \
  --fp16 false \
  --attn_implementation sdpa \
  --max_pixels 200704 \
  --min_pixels 3136 \
  --use_peft true \
  --lora_r 4 \
  --lora_alpha 8 \
  --lora_dropout 0.1 \
  --use_rslora true \
  --use_dora true \
  --lora_target_modules q_proj v_proj \
  --lora_modules_to_save embed_tokens \
  --lora_task_type CAUSAL_LM \
  --load_in_4bit true \
  --load_in_8bit false \
  --bnb_4bit_quant_type nf4 \
  --use_bnb_nested_quant true \
  --train_dataset outputs/trl/data/train.jsonl \
  --eval_dataset outputs/trl/data/validation.jsonl \
  --image_folder outputs/trl/data \
  --max_length 4096 \
  --too_long right \
  --optim adamw_torch \
  --lr_scheduler_type linear \
  --weight_decay 0.1 \
  --adam_beta1 0.9 \
  --adam_beta2 0.99 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 3.0 \
  --max_steps 500 \
  --per_device_train_batch_size 2 \
  --per_device_eval_batch_size 4 \
  --gradient_checkpointing false \
  --save_total_limit 3 \
  --freeze_vision false \
  --freeze_aligner true \
  --freeze_language false \
  --learning_rate 0.0002 \
  --warmup_steps 10.0 \
  --gradient_accumulation_steps 4 \
  --save_strategy steps \
  --save_steps 50 \
  --eval_strategy steps \
  --eval_steps 50 \
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
  --use_cpu false \
  --dataloader_num_workers 4 \
  --logging_strategy steps \
  --logging_steps 10 \
  --report_to wandb \
  --project 'second engine' \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"} \
  --neftune_noise_alpha 5 \
  --lr_scheduler_kwargs '{"num_cycles": 0.5}'

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select best \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
