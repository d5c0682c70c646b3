-- wrk: asks for every URL of the arguments' pattern in turn, and prints its figures as one JSON object.
-- arguments: PATH (asked for again and again), PATH COUNT (PATH0 … PATH<COUNT-1> in turn), or PATH new
-- (another one each time)
local requests, at, path = {}, 0, nil

function init(arguments)
  path = arguments[1]
  local count = arguments[2]
  if count == "new" then
    -- request stays as below
  elseif count then
    for i = 1, tonumber(count) do requests[i] = wrk.format("GET", path .. (i - 1)) end
    request = function()
      at = at % #requests + 1
      return requests[at]
    end
  else
    request = nil
    wrk.path = path
  end
end

function request()
  at = at + 1
  return wrk.format("GET", path .. at)
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{"answered":%d,"seconds":%.6f,"failed":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d}\n',
    summary.requests, summary.duration / 1e6,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
