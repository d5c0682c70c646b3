// A client's side of DNS for tests: makes queries, and reads answers strictly.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns_wire/constants.h"

namespace perigee::dns::testing {

using Bytes = std::vector<uint8_t>;

// Octets from hexadecimal text; spaces are skipped, and '#' starts a remark that ends with its line.
Bytes Hex(std::string_view text);

struct OptSpec {
  uint16_t payload = 1232;
  uint8_t version = 0;
  bool dnssec_ok = false;
  Bytes options;  // raw
};

struct QuerySpec {
  std::string name;
  RrType type = RrType::kA;
  RrClass rr_class = RrClass::kIn;
  uint16_t id = 0x1234;
  uint16_t flags = 0;
  std::optional<OptSpec> opt;
};

Bytes MakeQuery(const QuerySpec& spec);

struct Record {
  std::string owner;
  RrType type{};
  RrClass rr_class{};
  uint32_t ttl = 0;
  Bytes rdata;       // as sent
  std::string text;  // the address of A and AAAA, the first name of NS and SOA
};

struct Message {
  uint16_t id = 0;
  uint16_t flags = 0;
  Rcode rcode{};  // extended
  size_t questions = 0;
  std::string qname;  // in the case that was sent
  RrType qtype{};
  std::vector<Record> answer, authority, additional;  // without OPT
  std::optional<OptSpec> opt;
};

// Nothing when the message is malformed in any way, trailing octets included.
std::optional<Message> Decode(std::span<const uint8_t> bytes);

}  // namespace perigee::dns::testing
