#include "lib/probe_policy/special_networks.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace perigee {
namespace {

constexpr int kKeyBits = 64;
constexpr int kGlobalUnicast = 1;  // 2000::/3, by its first three bits

int ThirdOf(const IpAddress& v6) { return v6.bytes()[0] >> 5; }

uint64_t KeyOf(const IpAddress& address) {
  static_assert(std::endian::native == std::endian::little);
  if (address.is_v4()) {
    uint32_t word;
    std::memcpy(&word, address.bytes().data(), sizeof(word));
    return __builtin_bswap32(word);
  }
  uint64_t word;
  std::memcpy(&word, address.bytes().data(), sizeof(word));
  return __builtin_bswap64(word);
}

bool Holds(const IpPrefix& outer, const IpPrefix& inner) {
  return outer.length() <= inner.length() && outer.Contains(inner.address());
}

bool HoldsAny(const IpPrefix& outer, const std::vector<IpPrefix>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const IpPrefix& p) { return Holds(outer, p); });
}

}  // namespace

SpecialNetworks::SpecialNetworks(std::vector<IpPrefix> open)
    : policy_({.allow_special = open, .opt_out = {}, .own = {}}), any_(true) {
  std::vector<IpPrefix> prefixes;
  for (const SpecialRange& range : SpecialRanges()) prefixes.push_back(range.prefix);
  std::sort(prefixes.begin(), prefixes.end());  // a prefix stands before those within it
  const IpPrefix* outermost = nullptr;
  for (const IpPrefix& prefix : prefixes) {
    if (prefix.address().is_v6() && prefix.length() > kKeyBits) continue;
    if (outermost != nullptr && Holds(*outermost, prefix)) continue;
    outermost = &prefix;
    Add(prefix, HoldsAny(prefix, open));
  }
  for (size_t i = 0; i < non_global_.size(); ++i) {
    std::array<uint8_t, 16> bytes{static_cast<uint8_t>(i << 5)};
    non_global_[i] = {.length = 3, .partly_open = HoldsAny(IpPrefix(IpAddress::V6(bytes), 3), open)};
  }
}

void SpecialNetworks::Add(const IpPrefix& prefix, bool partly_open) {
  const IpAddress& base = prefix.address();
  const int host_bits = (base.is_v4() ? base.bit_length() : kKeyBits) - prefix.length();
  const uint64_t first = KeyOf(base);
  ranges_[base.is_v6()].push_back(
      {first, first + ((uint64_t{1} << host_bits) - 1), prefix.length(), partly_open});
}

const SpecialNetworks::Range* SpecialNetworks::Find(const IpAddress& address) const {
  const Ranges& ranges = ranges_[address.is_v6()];
  const uint64_t key = KeyOf(address);
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), key,
                                      [](uint64_t k, const Range& range) { return k < range.first; });
  if (after != ranges.begin() && key <= std::prev(after)->last) return &*std::prev(after);
  if (address.is_v4() || ThirdOf(address) == kGlobalUnicast) return nullptr;
  return &non_global_[static_cast<size_t>(ThirdOf(address))];
}

std::optional<int> SpecialNetworks::ScopeFor(const IpAddress& address, int source_length) const {
  if (!any_) return std::nullopt;
  const Range* range = Find(address);
  if (range == nullptr || !policy_.Refuse(address)) return std::nullopt;
  return range->partly_open ? std::max(range->length, source_length) : range->length;
}

}  // namespace perigee
