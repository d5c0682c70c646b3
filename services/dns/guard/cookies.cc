#include "services/dns/guard/cookies.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "lib/base/parse.h"
#include "services/dns/guard/siphash.h"

namespace perigee::dns {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kClientSize = 8;
constexpr size_t kServerSize = 16;
constexpr size_t kHashedSize = 8;  // of the server part: version, reserved, timestamp
constexpr size_t kHashSize = kServerSize - kHashedSize;

uint32_t Timestamp(WallTime now) {
  return static_cast<uint32_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
}

uint32_t TimestampOf(const FullCookie& cookie) {
  return uint32_t{cookie[12]} << 24 | uint32_t{cookie[13]} << 16 | uint32_t{cookie[14]} << 8 | cookie[15];
}

// Serial number arithmetic (RFC 1982), so that it goes on in 2106. Negative for a cookie from the future.
std::chrono::seconds Age(const FullCookie& cookie, WallTime now) {
  return std::chrono::seconds(static_cast<int32_t>(Timestamp(now) - TimestampOf(cookie)));
}

// The reserved octets are hashed as they came: another server of an anycast set may use them.
void WriteHash(const CookieSecret& secret, const IpAddress& client, FullCookie* cookie) {
  std::array<uint8_t, kClientSize + kHashedSize + 16> input;
  const auto bytes = client.bytes();
  auto* end = std::copy_n(cookie->begin(), kClientSize + kHashedSize, input.begin());
  end = std::copy(bytes.begin(), bytes.end(), end);
  const uint64_t hash = SipHash24(secret, {input.begin(), end});
  for (size_t i = 0; i < kHashSize; ++i) {
    (*cookie)[kClientSize + kHashedSize + i] = static_cast<uint8_t>(hash >> (8 * i));
  }
}

// Takes the same time wherever the two differ, so that a hash can't be found octet by octet.
bool EqualInConstantTime(const FullCookie& a, const FullCookie& b) {
  uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

bool IsMadeWith(const CookieSecret& secret, const FullCookie& cookie, const IpAddress& client) {
  FullCookie expected = cookie;
  WriteHash(secret, client, &expected);
  return EqualInConstantTime(cookie, expected);
}

// Nullopt when the server part can't be one of ours.
std::optional<FullCookie> InVersion1(const Cookie& cookie) {
  if (cookie.server_size != kServerSize || cookie.server[0] != kVersion) return std::nullopt;
  FullCookie full;
  auto* end = std::copy(cookie.client.begin(), cookie.client.end(), full.begin());
  std::copy_n(cookie.server.begin(), kServerSize, end);
  return full;
}

FullCookie MakeCookie(const CookieSecret& secret, const Cookie& cookie, const IpAddress& client,
                      WallTime now) {
  FullCookie full{};
  std::copy(cookie.client.begin(), cookie.client.end(), full.begin());
  full[kClientSize] = kVersion;
  const uint32_t timestamp = Timestamp(now);
  for (size_t i = 0; i < 4; ++i) full[12 + i] = static_cast<uint8_t>(timestamp >> (24 - 8 * i));
  WriteHash(secret, client, &full);
  return full;
}

std::optional<CookieSecret> ParseSecret(std::string_view hex) {
  CookieSecret secret{};
  if (hex.size() != 2 * secret.size()) return std::nullopt;
  for (size_t i = 0; i < secret.size(); ++i) {
    const auto octet = ParseNumber<uint8_t>(hex.substr(2 * i, 2), 16);
    if (!octet) return std::nullopt;
    secret[i] = *octet;
  }
  return secret;
}

// Cuts the first line off `text`.
std::string_view NextLine(std::string_view* text) {
  const size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  *text = end == std::string_view::npos ? std::string_view() : text->substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

// The messages leave out what the line holds: it may be a secret but for one digit.
absl::StatusOr<std::vector<CookieSecret>> ParseCookieSecrets(std::string_view text,
                                                             std::string_view file_name) {
  std::vector<CookieSecret> secrets;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::optional<CookieSecret> secret = ParseSecret(NextLine(&text));
    if (!secret) {
      return absl::InvalidArgumentError(fmt::format(
          "{}:{}: not a cookie secret: give 32 hexadecimal digits and nothing else", file_name, line_number));
    }
    if (secrets.size() == kMaxCookieSecrets) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: more than {} cookie secrets: keep the one in use and the one before it",
                      file_name, line_number, kMaxCookieSecrets));
    }
    secrets.push_back(*secret);
  }
  if (secrets.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}:1: no cookie secret: give a line of 32 hexadecimal digits", file_name));
  }
  return secrets;
}

CookieSecret RandomCookieSecret() {
  CookieSecret secret;
  ssize_t got;
  do {
    got = getrandom(secret.data(), secret.size(), 0);
  } while (got < 0 && errno == EINTR);
  // Up to 256 octets come whole or not at all (getrandom(2)); a guessable secret would be worse than none.
  if (got != static_cast<ssize_t>(secret.size())) std::abort();
  return secret;
}

bool CookieMaker::IsValid(const Cookie& cookie, const IpAddress& client, WallTime now) const {
  const std::optional<FullCookie> full = InVersion1(cookie);
  if (!full) return false;
  const std::chrono::seconds age = Age(*full, now);
  if (age > kCookieLifetime || age < -kCookieMaxAhead) return false;
  return std::any_of(secrets_.begin(), secrets_.end(),
                     [&](const CookieSecret& secret) { return IsMadeWith(secret, *full, client); });
}

FullCookie CookieMaker::AnswerTo(const Cookie& cookie, const IpAddress& client, WallTime now) const {
  const std::optional<FullCookie> full = InVersion1(cookie);
  if (full) {
    const std::chrono::seconds age = Age(*full, now);
    const bool is_fresh = age < kCookieRenewAfter && age >= -kCookieMaxAhead;
    if (is_fresh && IsMadeWith(secrets_.front(), *full, client)) return *full;
  }
  return MakeCookie(secrets_.front(), cookie, client, now);
}

}  // namespace perigee::dns
