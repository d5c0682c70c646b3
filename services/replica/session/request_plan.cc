#include "services/replica/session/request_plan.h"

#include "services/replica/fetch/origin_request.h"
#include "services/replica/served_names.h"

namespace perigee::replica {
namespace {

Plan Reject(int status, std::string_view why) { return {.status = status, .why = why}; }

bool GoesInCircles(const RequestHead& request) {
  return request.headers.Has("Via") && request.headers.ListElements("Via").size() > kMaxViaHops;
}

bool WantsWebSocket(const RequestHead& request) {
  return request.headers.Has("Upgrade") && request.method == "GET" && request.minor_version >= 1 &&
         !request.has_body() && request.headers.ListHas("Upgrade", kWebSocket) &&
         request.headers.ListHas("Connection", "upgrade");
}

}  // namespace

bool IsSafe(std::string_view method) { return method == "GET" || method == "HEAD" || method == "OPTIONS"; }

Plan PlanRequest(const RequestHead& request) {
  if (request.method == "CONNECT" || request.method == "TRACE") return Reject(405, "method not allowed");
  const auto path = PathOf(request.target);
  if (!path) return Reject(400, "malformed request target");
  const bool absolute = path->data() != request.target.data();
  if (absolute && !IsAuthority(AuthorityOf(request))) return Reject(400, "malformed request target");
  if (*path == "*" && request.method != "OPTIONS") return Reject(400, "malformed request target");
  if (GoesInCircles(request)) return Reject(508, "the request has passed too many intermediaries");
  if (WantsWebSocket(request)) {
    return {.kind = PlanKind::kTunnel, .path = *path, .forward = http::Forward::kBypass};
  }

  const bool options = request.method == "OPTIONS";
  if (options && request.headers.Get("Max-Forwards") == "0") return {.kind = PlanKind::kLastHop};
  const bool reads = request.method == "GET" || request.method == "HEAD";
  Plan plan{.kind = PlanKind::kPassThrough, .path = *path, .forward = http::Forward::kMethod};
  // "http://host" means the server itself (RFC 9112 §3.2.4).
  if (options && absolute && *path == "/" && !request.target.ends_with('/')) plan.path = "*";
  if (reads && !request.has_body()) {
    plan.kind = PlanKind::kCache;
  } else if (reads) {
    plan.forward = http::Forward::kBypass;
  }
  return plan;
}

}  // namespace perigee::replica
