// Which addresses may be probed at all. The director asks before it calls a prober, and every prober asks
// again before a packet leaves: a prober that can be pointed anywhere is a port scanner for strangers.
//
// Refused: every entry of the IANA special-purpose registries (RFC 6890), multicast, cloud metadata services,
// IPv6 outside global unicast (2000::/3), and every IPv6 form that carries an IPv4 address inside, for it
// would lead around the IPv4 rules.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "lib/base/address.h"

namespace perigee {

// Prefixes to look addresses up in; the cost grows with the number of distinct lengths, not of prefixes.
class PrefixSet {
 public:
  PrefixSet() = default;
  explicit PrefixSet(std::span<const IpPrefix> prefixes);
  // The longest prefix that contains `address`.
  std::optional<IpPrefix> Find(const IpAddress& address) const;
  // The same among those of `min_length` bits and more.
  std::optional<IpPrefix> Find(const IpAddress& address, int min_length) const;

 private:
  absl::flat_hash_set<IpPrefix> prefixes_;
  std::array<std::bitset<129>, 2> lengths_;  // [is_v6]: the lengths that occur
};

// A range that is not probed unless allowed by name.
struct SpecialRange {
  IpPrefix prefix;
  std::string_view what;  // "benchmarking, RFC 2544"
};

// The table behind the policy, for tests and for people.
std::span<const SpecialRange> SpecialRanges();

struct AddressPolicyOptions {
  // Opens special ranges. A prefix opens only a range that it lies within: "198.18.0.0/15" or "127.0.0.2" say
  // what is meant, "0.0.0.0/0" opens nothing.
  std::vector<IpPrefix> allow_special;
  // Never probed, whatever allow_special says.
  std::vector<IpPrefix> opt_out;
  // This host's own addresses: no distance to measure. Never probed.
  std::vector<IpAddress> own;
};

// Why an address is not probed.
struct AddressRefusal {
  enum class Kind : uint8_t { kOptOut, kOwn, kSpecial };
  Kind kind{};
  IpPrefix range;         // that opted out, or that is special; the address itself when it is our own
  std::string_view what;  // of a special range: "benchmarking, RFC 2544"
  // Of a special range: its place in SpecialRanges(), or kIsatapRange or kNotGlobalRange.
  size_t special = 0;
};

// More than there are special ranges. The last two numbers stand for what no prefix describes: ISATAP within
// any prefix, and IPv6 outside of global unicast that no range names.
inline constexpr size_t kMaxSpecialRanges = 64;
inline constexpr size_t kIsatapRange = kMaxSpecialRanges - 2;
inline constexpr size_t kNotGlobalRange = kMaxSpecialRanges - 1;

// Immutable, so it may be used from any thread.
class AddressPolicy {
 public:
  AddressPolicy() = default;
  explicit AddressPolicy(const AddressPolicyOptions& options);

  // Nothing when the address may be probed. Allocates nothing.
  std::optional<AddressRefusal> Refuse(const IpAddress& address) const;
  // The same as OK, or PermissionDenied with a message that names the range and what it is for.
  absl::Status Check(const IpAddress& address) const;

 private:
  bool Opens(const IpAddress& address, const IpPrefix& range) const;

  PrefixSet allow_special_;
  PrefixSet opt_out_;
  absl::flat_hash_set<IpAddress> own_;
};

}  // namespace perigee
