// DNS cookies (RFC 7873) in the interoperable form of RFC 9018: version 1, SipHash-2-4. Making and checking
// are pure and allocate nothing.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/dns_wire/query.h"

namespace perigee::dns {

using CookieSecret = std::array<uint8_t, 16>;
using FullCookie = std::array<uint8_t, 24>;  // client's 8 octets, server's 16

// How long a server part is accepted, and how far ahead the clock of the server that made it may be
// (RFC 9018 §4.3).
inline constexpr std::chrono::seconds kCookieLifetime = std::chrono::hours(1);
inline constexpr std::chrono::seconds kCookieMaxAhead = std::chrono::minutes(5);
inline constexpr std::chrono::seconds kCookieRenewAfter = std::chrono::minutes(30);

// The one in use, and during a change (RFC 9018 §5) the one that comes or goes.
inline constexpr size_t kMaxCookieSecrets = 2;

// 1 or 2 lines of 32 hexadecimal digits; `file_name` is used in messages only ("file:line: what is wrong").
absl::StatusOr<std::vector<CookieSecret>> ParseCookieSecrets(std::string_view text,
                                                             std::string_view file_name);

// From the kernel, for a server whose cookies no other one need know. Aborts where the kernel has none.
CookieSecret RandomCookieSecret();

// Any thread.
class CookieMaker {
 public:
  // The first secret makes cookies; all are accepted. At least one.
  explicit CookieMaker(std::vector<CookieSecret> secrets) : secrets_(std::move(secrets)) {}

  // Whether the server part is one that this server gave this client: at most an hour old, and at most five
  // minutes ahead (RFC 9018 §4.3).
  bool IsValid(const Cookie& cookie, const IpAddress& client, WallTime now) const;

  // What goes into the answer: the client's own part, and a server part made now. A valid one less than half
  // an hour old is given back as it came, unless an older secret made it.
  FullCookie AnswerTo(const Cookie& cookie, const IpAddress& client, WallTime now) const;

 private:
  const std::vector<CookieSecret> secrets_;
};

}  // namespace perigee::dns
