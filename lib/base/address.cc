#include "lib/base/address.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "fmt/format.h"
#include "lib/base/parse.h"

namespace perigee {
namespace {

constexpr std::array<uint8_t, 12> kV4MappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

absl::Status Bad(std::string_view what, std::string_view text) {
  return absl::InvalidArgumentError(fmt::format("not {}: \"{}\"", what, text));
}

// The first `count` bits of eight octets as they lie in memory; none below 0, all above 64.
uint64_t LeadingBits(int count) {
  if (count <= 0) return 0;
  return count >= 64 ? ~uint64_t{0} : htobe64(~uint64_t{0} << (64 - count));
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  IpAddress a;
  if (inet_pton(AF_INET, terminated.c_str(), a.bytes_.data()) == 1) return a;
  a.v4_ = false;
  if (inet_pton(AF_INET6, terminated.c_str(), a.bytes_.data()) == 1) return a;
  return Bad("an IP address", text);
}

absl::StatusOr<IpAddress> IpAddress::FromSockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto& in = *reinterpret_cast<const sockaddr_in*>(address);
    return V4(std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&in.sin_addr), 4));
  }
  if (address->sa_family == AF_INET6) {
    const uint8_t* b = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr;
    if (std::equal(kV4MappedPrefix.begin(), kV4MappedPrefix.end(), b)) {
      return V4(std::span<const uint8_t, 4>(b + 12, 4));
    }
    return V6(std::span<const uint8_t, 16>(b, 16));
  }
  return absl::InvalidArgumentError(fmt::format("address family {} is not IP", address->sa_family));
}

IpAddress IpAddress::Masked(int length) const {
  // An IPv4 address is the first of these words, and followed by zeros.
  std::array<uint64_t, 2> words;
  std::memcpy(words.data(), bytes_.data(), sizeof(words));
  words[0] &= LeadingBits(length);
  words[1] &= LeadingBits(length - 64);
  IpAddress masked = *this;
  std::memcpy(masked.bytes_.data(), words.data(), sizeof(words));
  return masked;
}

uint32_t IpAddress::ToSockaddr(uint16_t port, sockaddr_storage* out) const {
  std::memset(out, 0, sizeof(*out));
  if (v4_) {
    auto* in = reinterpret_cast<sockaddr_in*>(out);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, bytes_.data(), 4);
    return sizeof(sockaddr_in);
  }
  auto* in6 = reinterpret_cast<sockaddr_in6*>(out);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(port);
  std::memcpy(&in6->sin6_addr, bytes_.data(), 16);
  return sizeof(sockaddr_in6);
}

bool IpAddress::is_loopback() const {
  static constexpr std::array<uint8_t, 16> kV6Loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return v4_ ? bytes_[0] == 127 : bytes_ == kV6Loopback;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  return text;
}

std::string IpAddress::ToString(uint16_t port) const {
  return v4_ ? fmt::format("{}:{}", ToString(), port) : fmt::format("[{}]:{}", ToString(), port);
}

absl::StatusOr<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return Bad("a prefix", text);
  int length = address->bit_length();
  if (slash != std::string_view::npos) {
    const auto parsed = ParseNumber<uint8_t>(text.substr(slash + 1));
    if (!parsed || *parsed > address->bit_length()) return Bad("a prefix", text);
    length = *parsed;
  }
  const IpPrefix prefix(*address, length);
  if (prefix.address() != *address) {
    return absl::InvalidArgumentError(
        fmt::format("host bits are set in \"{}\"; write {}", text, prefix.ToString()));
  }
  return prefix;
}

bool IpPrefix::Contains(const IpAddress& address) const {
  return address.is_v4() == address_.is_v4() && IpPrefix(address, length_).address_ == address_;
}

std::string IpPrefix::ToString() const { return fmt::format("{}/{}", address_.ToString(), length_); }

IpPrefix ClientPrefix(const IpAddress& client) { return IpPrefix(client, client.is_v4() ? 24 : 56); }

absl::StatusOr<IpEndpoint> IpEndpoint::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad("an address:port", text);
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Bad("an address:port (an IPv6 address stands in brackets)", text);
  }
  const auto address = IpAddress::Parse(host);
  const auto port = ParseNumber<uint16_t>(text.substr(colon + 1));
  if (!address.ok() || !port) return Bad("an address:port", text);
  return IpEndpoint{*address, *port};
}

}  // namespace perigee
