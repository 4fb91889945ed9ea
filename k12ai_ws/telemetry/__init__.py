"""What the server measures of itself, for Prometheus. The one package that knows prometheus_client.

What happens is counted as it happens (`counted.py`, `commits.py`, `launcher.py`); what there is now is looked at when
somebody scrapes (`now.py`). `metrics.py` puts both together. The stages below offer plain numbers and call-backs.
"""
