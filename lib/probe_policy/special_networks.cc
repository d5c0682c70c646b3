#include "lib/probe_policy/special_networks.h"

#include <endian.h>

#include <algorithm>
#include <cstring>

#include "lib/probe_policy/address_policy.h"

namespace perigee {
namespace {

constexpr int kKeyBits = 64;
constexpr int kThirdBits = 3;  // IPv6 is special by its first three bits, but for 2000::/3

template <typename Word>
Word LoadWord(const IpAddress& address) {
  Word word;
  std::memcpy(&word, address.bytes().data(), sizeof(word));
  return word;
}

uint64_t KeyOf(const IpAddress& address) {
  return address.is_v4() ? be32toh(LoadWord<uint32_t>(address)) : be64toh(LoadWord<uint64_t>(address));
}

// The first address with that key.
IpAddress AddressAt(uint64_t key, bool v6) {
  std::array<uint8_t, 16> bytes{};
  const uint64_t octets = htobe64(v6 ? key : key << 32);
  std::memcpy(bytes.data(), &octets, sizeof(octets));
  if (v6) return IpAddress::V6(bytes);
  return IpAddress::V4(std::span<const uint8_t, 4>(bytes.data(), 4));
}

bool Holds(const IpPrefix& outer, const IpPrefix& inner) {
  return outer.length() <= inner.length() && outer.Contains(inner.address());
}

std::vector<IpPrefix> SpecialPrefixes() {
  std::vector<IpPrefix> prefixes;
  for (const SpecialRange& range : SpecialRanges()) {
    if (range.prefix.length() <= kKeyBits) prefixes.push_back(range.prefix);
  }
  for (uint64_t third = 0; third < 1u << kThirdBits; ++third) {
    const IpAddress base = AddressAt(third << (kKeyBits - kThirdBits), true);
    if (third != 1) prefixes.emplace_back(base, kThirdBits);
  }
  return prefixes;
}

// The shortest one that holds the address. The first three bits alone tell least: any other range goes
// before.
const IpPrefix* Outermost(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  const IpPrefix* found = nullptr;
  for (const IpPrefix& prefix : prefixes) {
    if (!prefix.Contains(address)) continue;
    if (found == nullptr || found->length() == kThirdBits ||
        (prefix.length() != kThirdBits && prefix.length() < found->length()))
      found = &prefix;
  }
  return found;
}

// Where a prefix begins and where what follows it does.
void AddBounds(const IpPrefix& prefix, std::vector<uint64_t>& bounds) {
  const int bits = prefix.address().is_v4() ? 32 : kKeyBits;
  if (prefix.length() > bits || prefix.length() == 0) return;
  const uint64_t first = KeyOf(prefix.address()), past = first + (uint64_t{1} << (bits - prefix.length()));
  bounds.push_back(first);
  if (past != 0 && (bits == kKeyBits || past <= UINT32_MAX)) bounds.push_back(past);
}

std::vector<uint64_t> Bounds(bool v6, const std::vector<IpPrefix>& special,
                             const std::vector<IpPrefix>& open) {
  std::vector<uint64_t> bounds{0};
  for (const auto* prefixes : {&special, &open}) {
    for (const IpPrefix& prefix : *prefixes) {
      if (prefix.address().is_v6() == v6) AddBounds(prefix, bounds);
    }
  }
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  return bounds;
}

}  // namespace

SpecialNetworks::SpecialNetworks(const std::vector<IpPrefix>& open) {
  const AddressPolicy policy({.allow_special = open, .opt_out = {}, .own = {}});
  const std::vector<IpPrefix> special = SpecialPrefixes();
  for (const bool v6 : {false, true}) {
    for (const uint64_t first : Bounds(v6, special, open)) {
      Interval interval{.first = first};
      const IpAddress address = AddressAt(first, v6);
      const IpPrefix* range = policy.Refuse(address) ? Outermost(special, address) : nullptr;
      if (range != nullptr) {
        interval.length = range->length();
        interval.partly_open =
            std::any_of(open.begin(), open.end(), [&](const IpPrefix& p) { return Holds(*range, p); });
      }
      intervals_[v6].push_back(interval);
    }
  }
}

std::optional<int> SpecialNetworks::ScopeFor(const IpAddress& address, int source_length) const {
  const Intervals& intervals = intervals_[address.is_v6()];
  if (intervals.empty()) return std::nullopt;
  const auto after = std::upper_bound(intervals.begin(), intervals.end(), KeyOf(address),
                                      [](uint64_t key, const Interval& i) { return key < i.first; });
  const Interval& found = *std::prev(after);
  if (found.length == 0) return std::nullopt;
  return found.partly_open ? std::max(found.length, source_length) : found.length;
}

}  // namespace perigee
