# Two trainings in a row, a classifier, weights of data sets, old names, an id of Hugging Face.
export OMP_NUM_THREADS=8
export HF_TOKEN=from-elsewhere
BASE=${BASE:-Qwen/Qwen2.5-0.5B-Instruct}
swift pt --model "$BASE" --dataset data/raw.jsonl
swift sft --model "$BASE" --tuner_type full --dataset "HF::tatsu-lab/alpaca#1000" ./data/own.jsonl \
  --interleave_prob 0.75 0.25 --learning_rate 1e-5 --output_dir output/first \
  --torch_dtype bfloat16 --adam_beta2 0.99 --no_freeze_vit --use-hf true --eval_strategy no \
  --lr_scheduler_kwargs '{"num_cycles": 2}' --save_strategy no --warmup_steps 10
swift sft --model output/first/checkpoint-100 --sft_type lora --quantization_bit 4 --quant_method bnb \
  --dataset data/own.jsonl --lora_target_modules q_proj v_proj --use_flash_attn true \
  --bf16 true --max_steps 100 --report_to swanlab wandb --load_best_model_at_end false \
  --model_type qwen2_5 --per_device_train_batch_size=4 --logging_first_step --output_dir output/second
swift sft --model Qwen/Qwen2.5-0.5B-Instruct --task_type seq_cls --num_labels 3 --problem_type single_label_classification \
  --dataset data/labels.csv --train_type lora --output_dir output/third
swift infer --adapters output/third/v0/checkpoint-9 --val_dataset data/labels.csv --max_batch_size 4
swift infer --adapters output/unknown/checkpoint-9 --val_dataset data/own.jsonl
swift export --adapters output/second/checkpoint-100 --quant_bits 4 --quant_method awq
swift infer --model Qwen/Qwen2.5-0.5B-Instruct
swift sft --model /models/mystery --dataset data/own.jsonl
