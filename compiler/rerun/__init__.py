"""What DVC would run of a recipe as it stands, and why: its plan against run records and DVC's own state, as data.

steps     what the compiled dvc.yaml says
contents  the bytes on disk, as DVC counts them
dvc       what DVC has recorded
simulate  which stages `dvc repro` would run, put back, or leave alone
reasons   why, in words of the recipe
"""
