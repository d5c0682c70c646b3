#include "lib/probe_policy/special_networks.h"

#include <chrono>
#include <random>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lib/probe_policy/address_policy.h"

namespace perigee {
namespace {

const std::vector<IpPrefix> kNothingOpen;

std::optional<int> ScopeOf(const SpecialNetworks& networks, std::string_view text) {
  const IpPrefix network = *IpPrefix::Parse(text);
  return networks.ScopeFor(network.address(), network.length());
}

TEST(SpecialNetworks, CoversAllOfTheRelevantSpace) {
  const SpecialNetworks networks(kNothingOpen);
  EXPECT_EQ(ScopeOf(networks, "10.1.2.0/24"), 8);  // the example of RFC 7871 §10
  EXPECT_EQ(ScopeOf(networks, "10.0.0.0/8"), 8);
  EXPECT_EQ(ScopeOf(networks, "10.255.255.255"), 8);
  EXPECT_EQ(ScopeOf(networks, "172.31.9.0/24"), 12);
  EXPECT_EQ(ScopeOf(networks, "192.168.7.0/24"), 16);
  EXPECT_EQ(ScopeOf(networks, "100.127.0.0/16"), 10);
  EXPECT_EQ(ScopeOf(networks, "127.0.0.0/24"), 8);
  EXPECT_EQ(ScopeOf(networks, "169.254.169.254"), 16);
  EXPECT_EQ(ScopeOf(networks, "fc00:1::/48"), 7);
  EXPECT_EQ(ScopeOf(networks, "fd12:3456::/56"), 7);
  EXPECT_EQ(ScopeOf(networks, "fe80::/64"), 10);
  EXPECT_EQ(ScopeOf(networks, "2001:db8:7::/56"), 32);
  EXPECT_EQ(ScopeOf(networks, "2002:c000:201::/48"), 16);
  EXPECT_EQ(ScopeOf(networks, "::1/128"), 3);
  EXPECT_EQ(ScopeOf(networks, "4000::/56"), 3);
}

TEST(SpecialNetworks, PublicNetworksAreNot) {
  const SpecialNetworks networks(kNothingOpen);
  for (const char* text :
       {"8.8.8.0/24", "9.255.255.0/24", "11.0.0.0/24", "100.63.255.0/24", "100.128.0.0/24", "172.15.255.0/24",
        "172.32.0.0/24", "192.167.255.0/24", "192.169.0.0/24", "223.255.255.0/24", "2001:4860::/48",
        "2400::/56", "2a00:1450::/56", "2001:200::/56", "2001:db7:ffff::/48", "2001:db9::/56", "3ffe::/56"}) {
    EXPECT_EQ(ScopeOf(networks, text), std::nullopt) << text;
  }
}

TEST(SpecialNetworks, AgreesWithTheAddressPolicyOnEveryAddress) {
  const SpecialNetworks networks({*IpPrefix::Parse("10.5.0.0/16"), *IpPrefix::Parse("fd00::/8")});
  const AddressPolicy policy(
      {.allow_special = {*IpPrefix::Parse("10.5.0.0/16"), *IpPrefix::Parse("fd00::/8")},
       .opt_out = {},
       .own = {}});
  std::mt19937 random(7871);
  const auto check = [&](const IpAddress& address) {
    EXPECT_EQ(networks.ScopeFor(address, 24).has_value(), policy.Refuse(address).has_value())
        << address.ToString();
  };
  for (const SpecialRange& range : SpecialRanges()) {
    if (range.prefix.address().is_v4() || range.prefix.length() <= 64) check(range.prefix.address());
  }
  for (int i = 0; i < 100'000; ++i) {
    std::array<uint8_t, 16> bytes{};
    for (size_t b = 0; b < 8; ++b) bytes[b] = static_cast<uint8_t>(random());
    if (i % 2 == 0) bytes[0] = 0x20, bytes[1] = static_cast<uint8_t>(random() % 3);
    bytes[15] = 1;
    check(IpAddress::V6(bytes));
    check(IpAddress::V4(std::span<const uint8_t, 4>(bytes.data() + 4, 4)));
  }
}

TEST(SpecialNetworks, WhatIsOpenIsAClientsLikeAnyOtherAndItsSurroundingsNoWiderThanTheyCame) {
  const SpecialNetworks networks({*IpPrefix::Parse("10.5.0.0/16"), *IpPrefix::Parse("fd00::/8"),
                                  *IpPrefix::Parse("169.254.0.0/16"), *IpPrefix::Parse("0.0.0.0/0")});
  EXPECT_EQ(ScopeOf(networks, "10.5.7.0/24"), std::nullopt);
  EXPECT_EQ(ScopeOf(networks, "10.6.7.0/24"), 24);
  EXPECT_EQ(ScopeOf(networks, "10.0.0.0/7"), 8);
  EXPECT_EQ(ScopeOf(networks, "fd00:7::/56"), std::nullopt);
  EXPECT_EQ(ScopeOf(networks, "fc00:7::/56"), 56);
  EXPECT_EQ(ScopeOf(networks, "169.254.7.0/24"), std::nullopt);
  EXPECT_EQ(ScopeOf(networks, "169.254.169.254"), 32) << "never opened but by its own name";
  EXPECT_EQ(ScopeOf(networks, "192.168.7.0/24"), 16) << "0.0.0.0/0 opens nothing";
}

TEST(SpecialNetworks, WithoutARuleNothingIs) {
  EXPECT_EQ(ScopeOf(SpecialNetworks(), "10.1.2.0/24"), std::nullopt);
  EXPECT_EQ(ScopeOf(SpecialNetworks(), "fd00::/56"), std::nullopt);
}

TEST(SpecialNetworks, CostsNextToNothingForPublicNetworks) {
  const SpecialNetworks networks(kNothingOpen);
  std::mt19937 random(1);
  std::vector<IpAddress> addresses;
  for (int i = 0; i < 4096; ++i) {
    const uint8_t v4[4] = {static_cast<uint8_t>(20 + random() % 60), static_cast<uint8_t>(random()), 3, 1};
    addresses.push_back(IpAddress::V4(v4));
    std::array<uint8_t, 16> v6{0x2a, static_cast<uint8_t>(random()), static_cast<uint8_t>(random())};
    addresses.push_back(IpAddress::V6(v6));
  }
  size_t special = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < 100; ++round) {
    for (const IpAddress& address : addresses) special += networks.ScopeFor(address, 24).has_value();
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(special, 0u);
  fmt::print("{:.1f} ns for each public network\n", took.count() / (100.0 * addresses.size()));
}

}  // namespace
}  // namespace perigee
