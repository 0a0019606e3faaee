"""What was reviewed is what ran: the settings that a trainer itself holds, compared with the stage's identity document.

    compare.py   two tables of settings → their differences
    held.py      the settings of a trainer of transformers
    report.py    compare before the first step and after the last, stop or go on, and tell `recipe exec`
    swift.py     the callback of ms-swift

Nothing here is part of an identity: it reads, and changes nothing.
"""
