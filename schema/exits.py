"""Ends of the program that are no errors."""


class Answer(SystemExit):
    """An exit code that answers what was asked, such as that two sides differ."""
