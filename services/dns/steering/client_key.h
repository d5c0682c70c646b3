// Whom a query is answered for: who asked, or the network that its resolver told (RFC 7871).
#pragma once

#include "lib/base/address.h"

namespace perigee::dns {

struct ClientKey {
  // What is measured.
  IpAddress address;
  // Under which the choice is remembered; at most 64 bits long.
  IpPrefix prefix;
};

// A client that asked for itself.
inline ClientKey KeyOf(const IpAddress& client) { return {client, ClientPrefix(client)}; }

// A network told by a resolver. It is remembered as ClientPrefix would, or by its own length when that is
// shorter; measured is its first host address, most often a gateway.
ClientKey KeyOf(const IpPrefix& network);

}  // namespace perigee::dns
