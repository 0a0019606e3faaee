# ms-swift takes its options from a file, the command line goes before it, and the environment before the file's.
export NPROC_PER_NODE=2
swift sft sft.yaml --model Qwen/Qwen2.5-VL-3B-Instruct --learning_rate 2e-5 --output_dir out/sft --max_length 1024 \
  --num_train_epochs 2 --bf16 true --seed 5
swift rlhf nowhere.json --rlhf_type dpo --beta 0.2
