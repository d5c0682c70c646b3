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
    case DropReason::kCount:
      break;
  }
  return "invalid";
}

}  // namespace perigee::dns
