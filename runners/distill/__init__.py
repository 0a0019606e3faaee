"""Train a small vision model (student) from a frozen vision-language model (teacher).

students/  the networks, one file for each family      tasks/   rows, pictures and scores of each task
teacher.py what the teacher says of a picture          cache.py where that is kept, once for each picture
losses.py  what the student is told                    trainer.py the training, on transformers' `Trainer`
"""
