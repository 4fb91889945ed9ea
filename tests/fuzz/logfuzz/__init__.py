"""Hunts for logs that the reader reads wrongly: `make fuzz`, and the seeds that stay as tests.

`grammar` writes logs that look like real ones, `attacks` writes what regexes hate, `mutate` spoils both, `script` reads
one in a given split, `oracles` says what must hold for any, `engine` keeps what reaches new code.
"""
