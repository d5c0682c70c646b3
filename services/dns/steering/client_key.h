// Whom a query is answered for: who asked, or the network that its resolver told (RFC 7871).
#pragma once

#include <optional>

#include "lib/base/address.h"
#include "lib/probe_policy/presence.h"

namespace perigee::dns {

struct ClientKey {
  // What is measured.
  IpAddress address;
  // Under which the choice is remembered; at most 64 bits long.
  IpPrefix prefix;
  // Whether who asked is known to be there: it came over TCP, or with a valid DNS cookie.
  Presence presence = Presence::kUnproven;
  // The resolver that it is hearsay of: the one that told it, unless its word is enough for probing.
  std::optional<IpAddress> hearsay_of = {};
};

// A client that asked for itself.
inline ClientKey KeyOf(const IpAddress& client, Presence presence = Presence::kUnproven) {
  return {client, ClientPrefix(client), presence};
}

// A network told by a resolver. It is remembered as ClientPrefix would, or by its own length when that is
// shorter; measured is its first host address, most often a gateway.
ClientKey KeyOf(const IpPrefix& network);

}  // namespace perigee::dns
