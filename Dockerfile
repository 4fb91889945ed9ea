# The server with the two bundled plugins; it starts jobs on the engine of the host. `config/compose.yaml` runs it.
#
#   docker build -t k12ai/server:latest .      (or: make server-image)
#
#   --build-arg BASE=...         any image with Python 3.11 or newer as `python3`, and its module venv
#   --build-arg PIP_INDEX_URL=... (or PIP_EXTRA_INDEX_URL)   packages from elsewhere; proxies are taken as usual
#
# It runs as any user who may use the engine's socket (--group-add), with a read-only root: only the data folder and
# /tmp are written. The engine resolves a job's folders on the host, so the data folder must have the same path there
# as here: -v /srv/k12ai:/srv/k12ai. `k12ai doctor` checks it. Nothing here needs BuildKit.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# A virtual environment, because distributions guard their own interpreter against pip, and name it python3 alone.
ENV PATH=/opt/venv/bin:$PATH
RUN python3 -m venv /opt/venv

ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

# What it depends on, by way of packages that are empty yet: this layer stays until a declaration changes.
COPY setup.py pyproject.toml README.md LICENSE /opt/k12ai/
COPY plugins/k12cv/pyproject.toml plugins/k12cv/README.md /opt/k12ai/plugins/k12cv/
COPY plugins/k12nlp/pyproject.toml plugins/k12nlp/README.md /opt/k12ai/plugins/k12nlp/
RUN cd /opt/k12ai && mkdir k12ai_ws plugins/k12cv/k12cv plugins/k12nlp/k12nlp \
    && touch k12ai_ws/__init__.py plugins/k12cv/k12cv/__init__.py plugins/k12nlp/k12nlp/__init__.py \
    && pip install --no-cache-dir --disable-pip-version-check . ./plugins/k12cv ./plugins/k12nlp \
    && rm -rf build *.egg-info plugins/*/build plugins/*/*.egg-info

COPY k12ai_ws /opt/k12ai/k12ai_ws
COPY plugins /opt/k12ai/plugins
RUN cd /opt/k12ai \
    && pip install --no-cache-dir --disable-pip-version-check --no-deps --force-reinstall \
        . ./plugins/k12cv ./plugins/k12nlp \
    && rm -rf build *.egg-info plugins/*/build plugins/*/*.egg-info \
    && pip check && k12ai --version

# Whoever runs it need not stand in /etc/passwd. The engine's stop is a SIGTERM, which ends it in good order.
ENV HOME=/tmp LOGNAME=k12ai PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    K12AI_DATA_DIR=/srv/k12ai K12AI_JOBS__LAUNCHER=docker
LABEL org.opencontainers.image.title="k12ai_ws" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp
USER 65534:65534
EXPOSE 8170
# Asked where these two variables have it listen. One that is told its address in another way (--host, --port, a file)
# needs a check of its own, with --health-cmd, or none, with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; e = os.environ.get; c = http.client.HTTPConnection(e('K12AI_SERVER__HOST', '127.0.0.1'), int(e('K12AI_SERVER__PORT', '8170')), timeout=4); c.request('GET', '/ready'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["k12ai"]
CMD ["serve"]
