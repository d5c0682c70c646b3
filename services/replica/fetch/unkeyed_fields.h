// Request fields by which many origins and frameworks choose their answer, though they are no part of the
// cache key: who sets one could have everybody served what was answered to him (cache poisoning). Pure.
#pragma once

#include <string_view>

#include "lib/base/address.h"
#include "lib/http_semantics/headers.h"

namespace perigee::replica {

// Takes out of a client's fields, before they go to the origin:
//   - claims of how and where the request came in: Forwarded, X-Forwarded-…, X-Real-IP …, for this server is
//   the
//     origin's gateway, and knows; and Proxy;
//   - other targets than the request's own: X-Original-…, X-Rewrite-URL;
//   - of GET and HEAD, whose answers may be stored, other methods than theirs: X-HTTP-Method-Override.
// Any sign in a name counts as a hyphen: X_Forwarded_Host goes too. X-Forwarded-For becomes `client`; what it
// said before is kept only if the client is on this host, as what ends TLS before this server is.
void RemoveUnkeyedFields(std::string_view method, const IpAddress& client, http::HeaderList* fields);

}  // namespace perigee::replica
