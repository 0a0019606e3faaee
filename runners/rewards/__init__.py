"""Rewards, one file for each: `reward(answer, solution, *, parameter=default, …)` gives a number, for text of both.

A file may also have `problem(solution)`, which says what makes a solution useless for it, or nothing.
"""
