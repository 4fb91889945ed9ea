"""The wire contract as types: codes, envelopes, event bodies, requests and the job's record.

The lowest stage of the house: it imports nothing of ours, and everything else may import it.
"""
