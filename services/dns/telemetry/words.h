// The words by which logs and metrics call what is counted; those of Reason and Method are the steering's.
#pragma once

#include <string>
#include <string_view>

#include "lib/dns_wire/constants.h"
#include "services/dns/telemetry/query_counters.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

// "AAAA"; "TYPE65" for a type that has no word here (RFC 3597 §5).
std::string Word(RrType type);
// "NXDOMAIN"; "RCODE12" for a code that has no word here.
std::string Word(Rcode rcode);
// "udp", "tcp".
std::string_view Word(Transport protocol);
// "rate-limited" and the like: each word is its enumerator's.
std::string_view Word(DropReason reason);
std::string_view Word(SubnetUse use);
std::string_view Word(FlightCause cause);
std::string_view Word(PassiveUse use);
std::string_view Word(BeaconUse use);
std::string_view Word(Judged judged);
std::string_view Word(FlightAnswer answer);
std::string_view Word(FlightEnd end);
std::string_view Word(ProbeRefusal reason);
std::string_view Word(ParkRefusal reason);
std::string_view Word(TcpClose reason);

}  // namespace perigee::dns
