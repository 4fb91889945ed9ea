"""WebSocket below Tornado: a message reader without I/O, frames made once for all, a connection on the socket itself.

Tornado reads the handshake and gives its stream away (`RequestHandler.detach`); from there on nothing of Tornado runs.
Why, and what that brings: docs/performance.md.
"""
