deepspeed --num_gpus=4 --master_port 29500 train.py \
  --deepspeed ds_z3.json --model_name_or_path Qwen/Qwen2-VL-7B-Instruct --train_file data/train.jsonl \
  --per_device_train_batch_size 2 --gradient_accumulation_steps 4 --fp16 True --lora_r 8 \
  --num_train_epochs 3 --learning_rate 2e-5 --save_strategy epoch --remove_unused_columns False
