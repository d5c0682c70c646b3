// What is to be done with a request, decided from its head alone. Pure.
#pragma once

#include <string_view>

#include "lib/http_semantics/cache_status.h"
#include "services/replica/http1/message.h"

namespace perigee::replica {

// The one protocol that a client may change to. Others are left out of the request: the client goes on with
// HTTP/1.1 (RFC 9110 §7.8), and none can be smuggled past the rules of this server.
inline constexpr std::string_view kWebSocket = "websocket";

enum class PlanKind {
  kCache,        // GET or HEAD: from the cache, or else from the origin through it
  kTunnel,       // WebSocket's handshake: to the origin, and both ways from its 101 on
  kPassThrough,  // everything else: to the origin and back
  kLastHop,      // OPTIONS with Max-Forwards: 0, which is for this server (RFC 9110 §7.6.2)
  kReject,
};

struct Plan {
  PlanKind kind = PlanKind::kReject;
  std::string_view path;  // what the origin is asked for; part of the cache key. Points into the head.
  // kTunnel, kPassThrough: what Cache-Status says about it.
  http::Forward forward = http::Forward::kNone;
  // kReject: the answer's status and a phrase for it.
  int status = 0;
  std::string_view why;
};

// The plan's views live as long as `request`.
Plan PlanRequest(const RequestHead& request);

// Safe methods change nothing at the origin, so they invalidate nothing (RFC 9110 §9.2.1).
bool IsSafe(std::string_view method);

inline constexpr std::string_view kAllowedMethods = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

}  // namespace perigee::replica
