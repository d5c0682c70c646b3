// IP addresses and prefixes as values: 16 bytes and a family, no socket types, no allocation.
//
// Text forms follow RFC 4291 §2.2 and RFC 5952 (through inet_pton and inet_ntop). Scope ids are not accepted.
// All types are plain values and may be used from any thread.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct sockaddr;
struct sockaddr_storage;

namespace perigee {

class IpAddress {
 public:
  // The unspecified IPv4 address, 0.0.0.0.
  IpAddress() = default;

  static IpAddress V4(std::span<const uint8_t, 4> bytes) {
    IpAddress a;
    std::memcpy(a.bytes_.data(), bytes.data(), bytes.size());
    return a;
  }
  static IpAddress V6(std::span<const uint8_t, 16> bytes) {
    IpAddress a;
    a.v4_ = false;
    std::memcpy(a.bytes_.data(), bytes.data(), bytes.size());
    return a;
  }

  // "198.18.0.7" or "fd00::7"; InvalidArgument names the text otherwise.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  // The address of an AF_INET or AF_INET6 socket; InvalidArgument for other families.
  // A v4-mapped IPv6 address (::ffff:a.b.c.d, from a dual-stack socket) becomes the IPv4 address.
  static absl::StatusOr<IpAddress> FromSockaddr(const sockaddr* address);

  bool is_v4() const { return v4_; }
  bool is_v6() const { return !v4_; }

  // Within 127.0.0.0/8 or ::1.
  bool is_loopback() const;

  // 4 or 16 bytes in network order.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), v4_ ? size_t{4} : size_t{16}}; }
  int bit_length() const { return v4_ ? 32 : 128; }

  // With only its first `length` bits; the others are zero.
  IpAddress Masked(int length) const;

  // Fills `out` and returns the length of the sockaddr.
  uint32_t ToSockaddr(uint16_t port, sockaddr_storage* out) const;

  std::string ToString() const;
  // "198.18.0.7:53", "[fd00::7]:53".
  std::string ToString(uint16_t port) const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& a) {
    return H::combine(std::move(h), a.v4_, a.bytes_);
  }

 private:
  std::array<uint8_t, 16> bytes_{};
  bool v4_ = true;
};

// An address with its host bits cleared, and a length.
class IpPrefix {
 public:
  IpPrefix() = default;
  // Clears the host bits. `length` is clamped to the family's width.
  IpPrefix(const IpAddress& address, int length)
      : address_(address.Masked(length)), length_(std::clamp(length, 0, address.bit_length())) {}

  // "198.18.0.0/15"; a lone address is a host prefix. InvalidArgument when host bits are set.
  static absl::StatusOr<IpPrefix> Parse(std::string_view text);

  const IpAddress& address() const { return address_; }
  int length() const { return length_; }
  bool Contains(const IpAddress& address) const;
  std::string ToString() const;

  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const IpPrefix& p) {
    return H::combine(std::move(h), p.address_, p.length_);
  }

 private:
  IpAddress address_;
  int length_ = 0;
};

// The clients that are counted and remembered as one: a /24 of IPv4, a /56 of IPv6.
IpPrefix ClientPrefix(const IpAddress& client);

// "host:port" with an IP host: "127.0.0.1:4301", "[::1]:4301".
struct IpEndpoint {
  IpAddress address;
  uint16_t port = 0;

  static absl::StatusOr<IpEndpoint> Parse(std::string_view text);
  std::string ToString() const { return address.ToString(port); }
  friend auto operator<=>(const IpEndpoint&, const IpEndpoint&) = default;
};

}  // namespace perigee
