-- The same small POST as every client sends; at the end the percentiles that wrk does not print by itself, in ms.
wrk.method = "POST"
wrk.body = '{"instances": [[0.0]]}'
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("BENCH %d %.3f %.3f %.3f %d\n", summary.requests,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
