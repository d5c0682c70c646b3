// The words by which logs and metrics call what is counted; those of Reason and Method are the steering's.
#pragma once

#include <string>
#include <string_view>

#include "lib/dns_wire/constants.h"
#include "services/dns/telemetry/query_counters.h"

namespace perigee::dns {

// "AAAA"; "TYPE65" for a type that has no word here (RFC 3597 §5).
std::string Word(RrType type);
// "NXDOMAIN"; "RCODE12" for a code that has no word here.
std::string Word(Rcode rcode);
// "udp", "tcp".
std::string_view Word(Transport protocol);
// "rate-limited".
std::string_view Word(DropReason reason);

}  // namespace perigee::dns
