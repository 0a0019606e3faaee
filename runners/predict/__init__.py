"""Ask a language or vision-language model: rows of a data set, a chat, or a question about pictures.

from runners.predict import Predictor

predictor = Predictor("outputs/animals-lora/merged/model")
[[best, *others]] = predictor.answer([ask("What is it?", images=["cat.jpg"])], beams=4, returned=4)
"""

from runners.predict.conversations import ask
from runners.predict.predictor import Candidate, Predictor

__all__ = ["Candidate", "Predictor", "ask"]
