def polite(answer, solution, word="please"):
    return float(word in answer)


def together(completions, **columns):
    return [0.0 for _ in completions]
