// What the origin is asked, made from what the client asked. Pure.
//
// The origin sees its own name in Host (as with nginx's default), whatever name the client used, so the
// client's Host can neither split nor poison the cache; nor can the fields that unkeyed_fields.h takes out.
// X-Forwarded-For is the client's address; this hop is appended to Via (RFC 9110 §7.6.3), and
// Surrogate-Capability tells that Surrogate-Control is heeded; the Max-Forwards of OPTIONS is counted down;
// hop-by-hop fields and Expect are taken out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/address.h"
#include "lib/http_semantics/headers.h"
#include "lib/http_semantics/message.h"
#include "services/replica/fetch/origin_address.h"
#include "services/replica/http1/message.h"

namespace perigee::replica {

// This server's name in Via.
inline constexpr std::string_view kViaName = "perigee";
// A request that has passed more intermediaries than this goes in a circle: 508.
inline constexpr size_t kMaxViaHops = 16;

// Path and query of an origin-form or absolute-form target ("/x?y"), "*" for OPTIONS; nothing when it is
// neither (RFC 9112 §3.2) or has a fragment.
std::optional<std::string_view> PathOf(std::string_view target);

// End-to-end fields for the origin. Framing fields (Content-Length, Transfer-Encoding) are not among them.
http::HeaderList OriginFields(const RequestHead& request, const OriginAddress& origin,
                              const IpAddress& client);

// The head as sent, with the framing of the request's body when `with_body`.
std::string OriginRequestText(const RequestHead& request, std::string_view path,
                              const http::HeaderList& fields, bool with_body);

// Makes the origin's response one of this server's: without hop-by-hop fields, with Via, with a Date
// (RFC 9110 §6.6.1), with a Content-Length only where one may be, and with its surrogate tags where no client
// sees them.
void PrepareResponse(http::ResponseHead* head, int origin_minor_version);

}  // namespace perigee::replica
