// DNS cookies (RFC 7873) in the interoperable form of RFC 9018: version 1, SipHash-2-4. Pure; allocates
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/dns_wire/query.h"

namespace perigee::dns {

using CookieSecret = std::array<uint8_t, 16>;
using FullCookie = std::array<uint8_t, 24>;  // client's 8 octets, server's 16

// 1 or 2 lines of 32 hexadecimal digits; `file_name` is used in messages only ("file:line: what is wrong").
absl::StatusOr<std::vector<CookieSecret>> ParseCookieSecrets(std::string_view text,
                                                             std::string_view file_name);

// Any thread.
class CookieMaker {
 public:
  // The first secret makes cookies; all are accepted. At least one.
  explicit CookieMaker(std::vector<CookieSecret> secrets) : secrets_(std::move(secrets)) {}

  // Whether the server part is one that this server gave this client: at most an hour old, and at most five
  // minutes ahead (RFC 9018 §4.3).
  bool IsValid(const Cookie& cookie, const IpAddress& client, WallTime now) const;

  // What goes into the answer: the client's own part, and a server part made now. A valid one less than half
  // an hour old is given back as it came.
  FullCookie AnswerTo(const Cookie& cookie, const IpAddress& client, WallTime now) const;

 private:
  const std::vector<CookieSecret> secrets_;
};

}  // namespace perigee::dns
