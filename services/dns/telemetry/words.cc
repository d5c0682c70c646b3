#include "services/dns/telemetry/words.h"

#include "fmt/format.h"

namespace perigee::dns {
namespace {

// IANA's registry, for what resolvers and scanners ask often. Empty for others.
std::string_view KnownType(uint16_t type) {
  switch (type) {
    case 1:
      return "A";
    case 2:
      return "NS";
    case 5:
      return "CNAME";
    case 6:
      return "SOA";
    case 12:
      return "PTR";
    case 13:
      return "HINFO";
    case 15:
      return "MX";
    case 16:
      return "TXT";
    case 28:
      return "AAAA";
    case 33:
      return "SRV";
    case 35:
      return "NAPTR";
    case 41:
      return "OPT";
    case 43:
      return "DS";
    case 46:
      return "RRSIG";
    case 48:
      return "DNSKEY";
    case 64:
      return "SVCB";
    case 65:
      return "HTTPS";
    case 251:
      return "IXFR";
    case 252:
      return "AXFR";
    case 255:
      return "ANY";
    case 257:
      return "CAA";
    default:
      return "";
  }
}

std::string_view KnownRcode(uint16_t rcode) {
  switch (rcode) {
    case 0:
      return "NOERROR";
    case 1:
      return "FORMERR";
    case 2:
      return "SERVFAIL";
    case 3:
      return "NXDOMAIN";
    case 4:
      return "NOTIMP";
    case 5:
      return "REFUSED";
    case 9:
      return "NOTAUTH";
    case 16:
      return "BADVERS";
    case 23:
      return "BADCOOKIE";
    default:
      return "";
  }
}

}  // namespace

std::string Word(RrType type) {
  const auto number = static_cast<uint16_t>(type);
  const std::string_view known = KnownType(number);
  return known.empty() ? fmt::format("TYPE{}", number) : std::string(known);
}

std::string Word(Rcode rcode) {
  const auto number = static_cast<uint16_t>(rcode);
  const std::string_view known = KnownRcode(number);
  return known.empty() ? fmt::format("RCODE{}", number) : std::string(known);
}

std::string_view Word(Transport protocol) { return protocol == Transport::kTcp ? "tcp" : "udp"; }

std::string_view Word(DropReason reason) {
  switch (reason) {
    case DropReason::kNotAQuery:
      return "not-a-query";
    case DropReason::kRateLimited:
      return "rate-limited";
    case DropReason::kSlipped:
      return "slipped";
    case DropReason::kParkLimit:
      return "park-limit";
    case DropReason::kSourcePort0:
      return "source-port-0";
    case DropReason::kCutDatagram:
      return "cut-datagram";
    case DropReason::kNotSent:
      return "not-sent";
    case DropReason::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(SubnetUse use) {
  switch (use) {
    case SubnetUse::kNone:
      return "none";
    case SubnetUse::kUsed:
      return "used";
    case SubnetUse::kWithheld:
      return "withheld";
    case SubnetUse::kSpecial:
      return "special";
    case SubnetUse::kNotTrusted:
      return "not-trusted";
    case SubnetUse::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(PassiveUse use) {
  switch (use) {
    case PassiveUse::kJoined:
      return "joined";
    case PassiveUse::kNothingNew:
      return "nothing-new";
    case PassiveUse::kUnknownClient:
      return "unknown-client";
    case PassiveUse::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(BeaconUse use) {
  switch (use) {
    case BeaconUse::kJoined:
      return "joined";
    case BeaconUse::kUnasked:
      return "unasked";
    case BeaconUse::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(Judged judged) {
  switch (judged) {
    case Judged::kFirst:
      return "first";
    case Judged::kRemembered:
      return "remembered";
    case Judged::kElsewhere:
      return "elsewhere";
    case Judged::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(FlightCause cause) {
  switch (cause) {
    case FlightCause::kQuery:
      return "query";
    case FlightCause::kRefresh:
      return "refresh";
    case FlightCause::kRefinement:
      return "refinement";
    case FlightCause::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(FlightAnswer answer) {
  switch (answer) {
    case FlightAnswer::kEarly:
      return "early";
    case FlightAnswer::kComplete:
      return "complete";
    case FlightAnswer::kHoldExpired:
      return "hold-expired";
    case FlightAnswer::kStopped:
      return "stopped";
    case FlightAnswer::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(FlightEnd end) {
  switch (end) {
    case FlightEnd::kComplete:
      return "complete";
    case FlightEnd::kExpired:
      return "expired";
    case FlightEnd::kStopped:
      return "stopped";
    case FlightEnd::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(ProbeRefusal reason) {
  switch (reason) {
    case ProbeRefusal::kSpecialRange:
      return "special-range";
    case ProbeRefusal::kOptOut:
      return "opt-out";
    case ProbeRefusal::kOwnAddress:
      return "own-address";
    case ProbeRefusal::kHearsay:
      return "hearsay";
    case ProbeRefusal::kUnprovenBudget:
      return "unproven-budget";
    case ProbeRefusal::kPrefixBudget:
      return "prefix-budget";
    case ProbeRefusal::kGlobalBudget:
      return "global-budget";
    case ProbeRefusal::kFlightLimit:
      return "flight-limit";
    case ProbeRefusal::kNoProber:
      return "no-prober";
    case ProbeRefusal::kStopped:
      return "stopped";
    case ProbeRefusal::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(ParkRefusal reason) {
  switch (reason) {
    case ParkRefusal::kFlightIsFull:
      return "flight-is-full";
    case ParkRefusal::kStopped:
      return "stopped";
    case ParkRefusal::kCount:
      break;
  }
  return "invalid";
}

std::string_view Word(TcpClose reason) {
  switch (reason) {
    case TcpClose::kClient:
      return "client";
    case TcpClose::kIdle:
      return "idle";
    case TcpClose::kMalformed:
      return "malformed";
    case TcpClose::kTotalLimit:
      return "total-limit";
    case TcpClose::kClientLimit:
      return "client-limit";
    case TcpClose::kStopped:
      return "stopped";
    case TcpClose::kCount:
      break;
  }
  return "invalid";
}

}  // namespace perigee::dns
