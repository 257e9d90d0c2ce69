# syntax=docker/dockerfile:1
# loadtest in a container: not root, nothing to write but /runs, for linux/amd64 and linux/arm64.
#   docker build -t loadtest .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD/runs:/runs" loadtest demo
# EXTRAS: of pyproject.toml, such as emulator.
ARG PYTHON=3.13

# Wheels are built first, so that neither a compiler nor a source is in the image that runs: on arm64, hdrhistogram has no wheel.
FROM python:${PYTHON}-slim AS build
ARG EXTRAS=""
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python -m pip wheel --no-cache-dir --wheel-dir /dist ".${EXTRAS:+[${EXTRAS}]}"

FROM python:${PYTHON}-slim
ARG EXTRAS=""
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# What is installed lies in /dist, in the versions that were just chosen. It is compiled now, since there is no place for it later.
# hadolint ignore=DL3013
RUN --mount=from=build,source=/dist,target=/dist \
    python -m pip install --no-cache-dir --no-index --find-links /dist --compile "loadtest${EXTRAS:+[${EXTRAS}]}" \
    && useradd --uid 10001 --create-home loadtest \
    && mkdir /runs \
    && chown loadtest /runs
USER 10001
WORKDIR /
# SIGTERM ends a run in order: requests in flight are finished, the result is written, the exit code is 130. Give it time.
STOPSIGNAL SIGTERM
ENTRYPOINT ["loadtest"]
CMD ["--help"]
