"""The doors: REST and the WebSocket channel, over the same operations. `routes.py` is the one table of routes."""
