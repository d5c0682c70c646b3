#include "lib/probe_policy/address_policy.h"

#include "fmt/format.h"

namespace perigee {
namespace {

struct Row {
  std::string_view prefix;
  std::string_view what;
};

// The IANA IPv4 and IPv6 special-purpose address registries (RFC 6890), and what they leave out.
constexpr Row kRows[] = {
    {"0.0.0.0/8", "this network, RFC 791"},
    {"10.0.0.0/8", "private use, RFC 1918"},
    {"100.64.0.0/10", "shared address space of carrier NAT, RFC 6598"},
    {"127.0.0.0/8", "loopback, RFC 1122"},
    {"169.254.0.0/16", "link-local, RFC 3927"},
    {"169.254.169.254/32", "cloud metadata service"},
    {"168.63.129.16/32", "cloud platform service"},
    {"172.16.0.0/12", "private use, RFC 1918"},
    {"192.0.0.0/24", "IETF protocol assignments, RFC 6890"},
    {"192.0.2.0/24", "documentation, RFC 5737"},
    {"192.31.196.0/24", "AS112, RFC 7535"},
    {"192.52.193.0/24", "automatic multicast tunnelling, RFC 7450"},
    {"192.88.99.0/24", "6to4 relay anycast, RFC 7526"},
    {"192.168.0.0/16", "private use, RFC 1918"},
    {"192.175.48.0/24", "AS112, RFC 7534"},
    {"198.18.0.0/15", "benchmarking, RFC 2544"},
    {"198.51.100.0/24", "documentation, RFC 5737"},
    {"203.0.113.0/24", "documentation, RFC 5737"},
    {"224.0.0.0/4", "multicast, RFC 5771"},
    {"240.0.0.0/4", "reserved, RFC 1112"},
    {"255.255.255.255/32", "limited broadcast, RFC 919"},

    {"::/128", "unspecified, RFC 4291"},
    {"::1/128", "loopback, RFC 4291"},
    {"::/96", "IPv4-compatible, RFC 4291"},
    {"::ffff:0:0/96", "IPv4-mapped, RFC 4291"},
    {"::ffff:0:0:0/96", "IPv4-translated, RFC 2765"},
    {"64:ff9b::/96", "NAT64, RFC 6052"},
    {"64:ff9b:1::/48", "local-use NAT64, RFC 8215"},
    {"100::/64", "discard only, RFC 6666"},
    {"100:0:0:1::/64", "dummy prefix, RFC 9780"},
    {"2001::/23", "IETF protocol assignments, RFC 2928"},
    {"2001::/32", "Teredo, RFC 4380"},
    {"2001:1::1/128", "port control anycast, RFC 7723"},
    {"2001:1::2/128", "TURN anycast, RFC 8155"},
    {"2001:1::3/128", "DNS-SD registration anycast, RFC 9665"},
    {"2001:2::/48", "benchmarking, RFC 5180"},
    {"2001:3::/32", "automatic multicast tunnelling, RFC 7450"},
    {"2001:4:112::/48", "AS112, RFC 7535"},
    {"2001:10::/28", "ORCHID, RFC 4843"},
    {"2001:20::/28", "ORCHIDv2, RFC 7343"},
    {"2001:30::/28", "drone remote identification, RFC 9374"},
    {"2001:db8::/32", "documentation, RFC 3849"},
    {"2002::/16", "6to4, RFC 3056"},
    {"2620:4f:8000::/48", "AS112, RFC 7534"},
    {"3fff::/20", "documentation, RFC 9637"},
    {"5f00::/16", "segment routing identifiers, RFC 9602"},
    {"fc00::/7", "unique local, RFC 4193"},
    {"fd00:ec2::254/128", "cloud metadata service"},
    {"fe80::/10", "link-local, RFC 4291"},
    {"fec0::/10", "site-local, RFC 3879"},
    {"ff00::/8", "multicast, RFC 4291"},
};

static_assert(std::size(kRows) <= kIsatapRange);

constexpr std::string_view kIsatap = "ISATAP, RFC 5214";
constexpr std::string_view kNotGlobal = "outside global unicast 2000::/3, RFC 4291";

// RFC 5214 §6.1: the interface identifier is ::[02]00:5efe:a.b.c.d, whatever the prefix.
bool IsIsatap(const IpAddress& address) {
  const auto b = address.bytes();
  return address.is_v6() && (b[8] & ~0x02) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe;
}

bool IsGlobalUnicast(const IpAddress& address) {
  return address.is_v4() || (address.bytes()[0] & 0xe0) == 0x20;
}

std::vector<SpecialRange> ParseRows() {
  std::vector<SpecialRange> ranges;
  for (const Row& row : kRows) ranges.push_back({*IpPrefix::Parse(row.prefix), row.what});
  return ranges;
}

}  // namespace

PrefixSet::PrefixSet(std::span<const IpPrefix> prefixes) : prefixes_(prefixes.begin(), prefixes.end()) {
  for (const IpPrefix& p : prefixes) lengths_[p.address().is_v6()].set(p.length());
}

std::optional<IpPrefix> PrefixSet::Find(const IpAddress& address) const { return Find(address, 0); }

std::optional<IpPrefix> PrefixSet::Find(const IpAddress& address, int min_length) const {
  for (int length = address.bit_length(); length >= min_length; --length) {
    if (!lengths_[address.is_v6()].test(length)) continue;
    const IpPrefix candidate(address, length);
    if (prefixes_.contains(candidate)) return candidate;
  }
  return std::nullopt;
}

std::span<const SpecialRange> SpecialRanges() {
  static const std::vector<SpecialRange> ranges = ParseRows();
  return ranges;
}

AddressPolicy::AddressPolicy(const AddressPolicyOptions& options)
    : allow_special_(options.allow_special),
      opt_out_(options.opt_out),
      own_(options.own.begin(), options.own.end()) {}

bool AddressPolicy::Opens(const IpAddress& address, const IpPrefix& range) const {
  return allow_special_.Find(address, range.length()).has_value();
}

std::optional<AddressRefusal> AddressPolicy::Refuse(const IpAddress& address) const {
  using Kind = AddressRefusal::Kind;
  if (const auto opted_out = opt_out_.Find(address)) return AddressRefusal{Kind::kOptOut, *opted_out, {}};
  if (own_.contains(address)) return AddressRefusal{Kind::kOwn, IpPrefix(address, address.bit_length()), {}};
  bool special = false;
  const std::span<const SpecialRange> ranges = SpecialRanges();
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!ranges[i].prefix.Contains(address)) continue;
    special = true;
    if (!Opens(address, ranges[i].prefix))
      return AddressRefusal{Kind::kSpecial, ranges[i].prefix, ranges[i].what, i};
  }
  if (IsIsatap(address)) {
    const IpPrefix range(address, 96);
    if (Opens(address, range)) return std::nullopt;
    return AddressRefusal{Kind::kSpecial, range, kIsatap, kIsatapRange};
  }
  if (!special && !IsGlobalUnicast(address)) {
    const IpPrefix range(address, 3);
    if (!Opens(address, range)) return AddressRefusal{Kind::kSpecial, range, kNotGlobal, kNotGlobalRange};
  }
  return std::nullopt;
}

absl::Status AddressPolicy::Check(const IpAddress& address) const {
  const auto refusal = Refuse(address);
  if (!refusal) return absl::OkStatus();
  switch (refusal->kind) {
    case AddressRefusal::Kind::kOptOut:
      return absl::PermissionDeniedError(fmt::format("{} is in {}, which opted out of probes",
                                                     address.ToString(), refusal->range.ToString()));
    case AddressRefusal::Kind::kOwn:
      return absl::PermissionDeniedError(fmt::format("{} is this host's own address", address.ToString()));
    case AddressRefusal::Kind::kSpecial:
      break;
  }
  return absl::PermissionDeniedError(
      fmt::format("{} is in {} ({}), which is not probed unless allow_special names it", address.ToString(),
                  refusal->range.ToString(), refusal->what));
}

}  // namespace perigee
