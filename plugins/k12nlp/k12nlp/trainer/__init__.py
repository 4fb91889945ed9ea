"""The program that a job runs: `python -m k12nlp.trainer train|evaluate|predict`.

An ordinary training script: it takes its options from the command line, prints a log as people's scripts do, and
writes its results to a folder. It knows nothing of the server.
"""
