"""The program that a job runs: `python -m k12cv.trainer train|evaluate|predict`.

An ordinary training script: it knows nothing of the server, prints what it does and raises what goes wrong.
"""
