"""Where jobs run: one small contract (`launcher.py`), and the launchers that fulfil it."""
