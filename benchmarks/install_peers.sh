#!/bin/sh
# The load generators that the benchmarks compare with, and nginx, from the distribution (Debian, Ubuntu). Needs root.
# The latency server is compiled when a benchmark runs and needs gcc; throwaway certificates need openssl.
set -eu
apt-get update
apt-get install --yes --no-install-recommends wrk hey nghttp2-client nginx-light gcc libc6-dev openssl
