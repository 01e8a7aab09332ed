-- What wrk sends, and one line of JSON about what came of it.
-- Arguments: get | read | put FIELDS | event FIELDS | named FIELDS NONCE | batch FIELDS COUNT, then the token (get, put: none).
-- FIELDS is what stands between the braces of an event. "named" gives each event an id of its own and one of 10,000 subjects.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

local function post(token, body)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Authorization"] = "Bearer " .. token
    wrk.body = body
end

local modes = {}

function modes.get() end

function modes.read(token)
    wrk.headers["Authorization"] = "Bearer " .. token
end

function modes.put(fields)
    wrk.method = "PUT"
    wrk.body = "{" .. fields .. "}"
end

function modes.event(fields, token)
    post(token, "{" .. fields .. "}")
end

function modes.batch(fields, count, token)
    post(token, "[" .. string.rep("{" .. fields .. "}", tonumber(count), ",") .. "]")
end

-- All requests have one length, so that only the numbers in the text are made anew.
function modes.named(fields, nonce, token)
    local form = string.format('{"id":"%s-%02d-%%010d","subject":"order-%%04d",%s}', nonce, number, (fields:gsub("%%", "%%%%")))
    post(token, string.format(form, 0, 0))
    local whole = wrk.format()
    local head, count = whole:sub(1, #whole - #wrk.body), 0
    function request()
        count = count + 1
        return head .. string.format(form, count, count % 10000)
    end
end

function init(args)
    modes[args[1]](unpack(args, 2))
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format('\n{"count":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"errors":%d}\n', summary.requests,
        summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        e.connect + e.read + e.write + e.status + e.timeout))
end
