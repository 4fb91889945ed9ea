"""Jobs in containers of a Docker engine, hardened, recorded and found again.

The way of a run: `policy.py` says what a driver may ask for, `container.py` makes the container's description,
`engine.py` talks to the engine, `recorder.py` writes what the container prints into the run's journal until it has
ended (`messages.py` reads the engine's own log where a stretch is missing), `ending.py` says how it ended, and
`launcher.py` puts them together. `usage.py` reads what running containers use.
"""
