# syntax=docker/dockerfile:1
# loadtest in a container: not root, nothing to write but /runs, for linux/amd64 and linux/arm64.
#   docker build -t loadtest .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD/runs:/runs" loadtest demo
# A wheel is built first, so that no compiler and no source is in the image that runs. EXTRAS: of pyproject.toml.

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .

FROM python:3.13-slim
ARG EXTRAS=""
# Nothing is compiled at run time: a read-only file system has no place for it.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /dist /dist
# What is installed is the wheel that was just built; its own requirements say what goes with it.
# hadolint ignore=DL3013
RUN wheel="$(echo /dist/*.whl)" \
    && python -m pip install --no-cache-dir "${wheel}${EXTRAS:+[${EXTRAS}]}" \
    && python -m compileall -q /usr/local/lib/python3.13/site-packages/loadtest \
    && rm -rf /dist \
    && useradd --uid 10001 --create-home loadtest \
    && mkdir /runs \
    && chown loadtest /runs
USER 10001
WORKDIR /
# SIGTERM ends a run in order: requests in flight are finished, the result is written, the exit code is 130. Give it time.
STOPSIGNAL SIGTERM
ENTRYPOINT ["loadtest"]
CMD ["--help"]
