#include "services/dns/director/overrides.h"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

IpPrefix Prefix(std::string_view text) { return IpPrefix::Parse(text).value(); }
IpAddress Address(std::string_view text) { return IpAddress::Parse(text).value(); }

const Overrides kOverrides({{Prefix("10.0.0.0/8"), ToReplicaId(1)},
                            {Prefix("10.1.0.0/16"), ToReplicaId(2)},
                            {Prefix("10.1.2.0/24"), ToReplicaId(3)},
                            {Prefix("10.1.2.77/32"), ToReplicaId(4)},
                            {Prefix("10.200.0.0/16"), ToReplicaId(5)},
                            {Prefix("2001:db8::/32"), ToReplicaId(6)}});

int Found(std::string_view address) {
  const Override* found = kOverrides.Find(Address(address));
  return found == nullptr ? 0 : static_cast<int>(Index(found->replica));
}

TEST(Overrides, TheLongestPrefixWins) {
  EXPECT_EQ(Found("10.9.9.9"), 1);
  EXPECT_EQ(Found("10.1.9.9"), 2);
  EXPECT_EQ(Found("10.1.2.76"), 3);
  EXPECT_EQ(Found("10.1.2.77"), 4);
  EXPECT_EQ(Found("10.1.2.78"), 3);
  EXPECT_EQ(Found("10.199.0.1"), 1) << "between two that are longer";
  EXPECT_EQ(Found("10.201.0.1"), 1);
  EXPECT_EQ(Found("9.255.255.255"), 0);
  EXPECT_EQ(Found("11.0.0.0"), 0);
  EXPECT_EQ(Found("2001:db8::1"), 6);
  EXPECT_EQ(Found("2001:db9::"), 0);
  EXPECT_EQ(Overrides().Find(Address("10.1.2.3")), nullptr);
}

TEST(Overrides, AgreesWithALookAtEachOfThem) {
  std::mt19937 random(7);
  const auto draw = [&] { return static_cast<uint8_t>(random() % 4); };
  for (int round = 0; round < 50; ++round) {
    std::set<IpPrefix> prefixes;
    for (int i = 0; i < 40; ++i) {
      const uint8_t bytes[4] = {draw(), draw(), draw(), draw()};
      prefixes.insert(IpPrefix(IpAddress::V4(bytes), static_cast<int>(random() % 33)));
    }
    std::vector<Override> list;
    for (const IpPrefix& prefix : prefixes) list.push_back({prefix, {}});
    std::shuffle(list.begin(), list.end(), random);
    const Overrides overrides(list);
    for (int i = 0; i < 100; ++i) {
      const uint8_t bytes[4] = {draw(), draw(), draw(), draw()};
      const IpAddress address = IpAddress::V4(bytes);
      int longest = -1;
      for (const IpPrefix& p : prefixes)
        longest = p.Contains(address) ? std::max(longest, p.length()) : longest;
      const Override* found = overrides.Find(address);
      ASSERT_EQ(found == nullptr ? -1 : found->prefix.length(), longest) << address.ToString();
    }
  }
}

int Scope(const ClientKey& client) { return kOverrides.ScopeFor(client, kOverrides.Find(client.address)); }

TEST(Overrides, TheScopeIsAsLongAsTheAnswerIsTheSameWithin) {
  EXPECT_EQ(Scope(KeyOf(Address("192.0.2.1"))), 24) << "none near: the key's";
  EXPECT_EQ(Scope(KeyOf(Address("10.200.3.4"))), 16) << "the override's own, with none inside";
  EXPECT_EQ(Scope(KeyOf(Address("2001:db8:7::1"))), 32);
  EXPECT_EQ(Scope(KeyOf(Address("10.1.9.9"))), 24) << "a longer one inside the override, but not in the /24";
  EXPECT_EQ(Scope(KeyOf(Address("10.1.2.9"))), 32) << "a longer one inside the /24";
  EXPECT_EQ(Scope(KeyOf(Address("10.1.2.77"))), 32);
  EXPECT_EQ(kOverrides.ScopeFor(KeyOf(Prefix("10.192.0.0/12")), nullptr), 16) << "a network of many parts";
}

}  // namespace
}  // namespace perigee::dns
