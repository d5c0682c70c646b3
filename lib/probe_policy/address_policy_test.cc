#include "lib/probe_policy/address_policy.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using testing::HasSubstr;

IpAddress Addr(std::string_view text) { return *IpAddress::Parse(text); }
IpPrefix Prefix(std::string_view text) { return *IpPrefix::Parse(text); }

std::string Refusal(const AddressPolicy& policy, std::string_view address) {
  const absl::Status status = policy.Check(Addr(address));
  return status.ok() ? "" : std::string(status.message());
}

IpAddress LastOf(const IpPrefix& prefix) {
  const auto bytes = prefix.address().bytes();
  std::vector<uint8_t> last(bytes.begin(), bytes.end());
  for (int bit = prefix.length(); bit < prefix.address().bit_length(); ++bit) {
    last[bit / 8] |= static_cast<uint8_t>(0x80 >> (bit % 8));
  }
  return prefix.address().is_v4() ? IpAddress::V4(std::span<const uint8_t, 4>(last.data(), 4))
                                  : IpAddress::V6(std::span<const uint8_t, 16>(last.data(), 16));
}

TEST(AddressPolicy, RefusesBothEndsOfEverySpecialRange) {
  const AddressPolicy policy;
  for (const SpecialRange& range : SpecialRanges()) {
    for (const IpAddress& end : {range.prefix.address(), LastOf(range.prefix)}) {
      EXPECT_EQ(policy.Check(end).code(), absl::StatusCode::kPermissionDenied)
          << end.ToString() << " of " << range.prefix.ToString();
    }
  }
}

TEST(AddressPolicy, OrdinaryAddressesPass) {
  const AddressPolicy policy;
  for (const char* ordinary :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255",
        "172.32.0.0", "192.0.1.0", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "3ffe::1"}) {
    EXPECT_EQ(Refusal(policy, ordinary), "") << ordinary;
  }
}

TEST(AddressPolicy, TheMessageNamesTheRange) {
  EXPECT_EQ(Refusal({}, "198.18.0.7"),
            "198.18.0.7 is in 198.18.0.0/15 (benchmarking, RFC 2544), which is not probed unless "
            "allow_special names it");
  EXPECT_THAT(Refusal({}, "127.0.0.1"), HasSubstr("127.0.0.0/8 (loopback, RFC 1122)"));
}

TEST(AddressPolicy, IPv4HiddenInIPv6IsRefused) {
  const AddressPolicy policy;
  EXPECT_THAT(Refusal(policy, "::ffff:8.8.8.8"), HasSubstr("IPv4-mapped"));
  EXPECT_THAT(Refusal(policy, "::8.8.8.8"), HasSubstr("IPv4-compatible"));
  EXPECT_THAT(Refusal(policy, "2002:808:808::1"), HasSubstr("6to4"));
  EXPECT_THAT(Refusal(policy, "2001:0:808:808::1"), HasSubstr("2001::/"));
  EXPECT_THAT(Refusal(policy, "64:ff9b::808:808"), HasSubstr("NAT64"));
  EXPECT_THAT(Refusal(policy, "64:ff9b:1::808:808"), HasSubstr("NAT64"));
  EXPECT_THAT(Refusal(policy, "2606:4700::5efe:8.8.8.8"), HasSubstr("ISATAP"));
  EXPECT_THAT(Refusal(policy, "2606:4700::200:5efe:8.8.8.8"), HasSubstr("ISATAP"));
}

TEST(AddressPolicy, IPv6OutsideGlobalUnicastIsRefused) {
  for (const char* address : {"200::1", "1fff::1", "4000::1", "8000::1", "e000::1"}) {
    EXPECT_THAT(Refusal({}, address), HasSubstr("outside global unicast")) << address;
  }
}

TEST(AddressPolicy, AllowSpecialOpensARangeByName) {
  const AddressPolicy policy({.allow_special = {Prefix("198.18.0.0/15"), Prefix("fd00::/8")}});
  EXPECT_EQ(Refusal(policy, "198.18.7.7"), "");
  EXPECT_EQ(Refusal(policy, "fd00::7"), "");
  EXPECT_NE(Refusal(policy, "fc00::7"), "");
  EXPECT_NE(Refusal(policy, "10.0.0.1"), "");
  EXPECT_THAT(Refusal(policy, "fd00:ec2::254"), HasSubstr("metadata")) << "inside fd00::/8, yet not named";
}

TEST(AddressPolicy, APrefixWiderThanTheRangeOpensNothing) {
  const AddressPolicy policy({.allow_special = {Prefix("0.0.0.0/0"), Prefix("::/0")}});
  EXPECT_NE(Refusal(policy, "127.0.0.1"), "");
  EXPECT_NE(Refusal(policy, "169.254.169.254"), "");
  EXPECT_NE(Refusal(policy, "::1"), "");
  EXPECT_NE(Refusal(policy, "e000::1"), "");
}

TEST(AddressPolicy, LoopbackIsAllowedWhenNamed) {
  const AddressPolicy policy({.allow_special = {Prefix("127.0.0.2")}});
  EXPECT_EQ(Refusal(policy, "127.0.0.2"), "");
  EXPECT_NE(Refusal(policy, "127.0.0.1"), "");
}

TEST(AddressPolicy, OptOutWinsOverAllowance) {
  const AddressPolicy policy(
      {.allow_special = {Prefix("198.18.0.0/15")}, .opt_out = {Prefix("198.18.7.0/24"), Prefix("8.8.8.8")}});
  EXPECT_EQ(Refusal(policy, "198.18.7.1"), "198.18.7.1 is in 198.18.7.0/24, which opted out of probes");
  EXPECT_THAT(Refusal(policy, "8.8.8.8"), HasSubstr("opted out"));
  EXPECT_EQ(Refusal(policy, "198.18.8.1"), "");
}

TEST(AddressPolicy, OwnAddressesAreRefused) {
  const AddressPolicy policy({.own = {Addr("1.2.3.4"), Addr("2606::1")}});
  EXPECT_EQ(Refusal(policy, "1.2.3.4"), "1.2.3.4 is this host's own address");
  EXPECT_NE(Refusal(policy, "2606::1"), "");
  EXPECT_EQ(Refusal(policy, "1.2.3.5"), "");
}

TEST(AddressPolicy, ARefusalSaysWhichRangeItIs) {
  using Kind = AddressRefusal::Kind;
  const AddressPolicy policy({.allow_special = {},
                              .opt_out = {*IpPrefix::Parse("8.8.8.0/24")},
                              .own = {*IpAddress::Parse("9.9.9.9")}});
  const auto refuse = [&](const char* text) { return policy.Refuse(*IpAddress::Parse(text)); };
  EXPECT_FALSE(refuse("8.8.4.4"));
  EXPECT_EQ(refuse("8.8.8.8")->kind, Kind::kOptOut);
  EXPECT_EQ(refuse("9.9.9.9")->kind, Kind::kOwn);
  const auto special = refuse("10.1.2.3");
  ASSERT_TRUE(special);
  EXPECT_EQ(special->kind, Kind::kSpecial);
  EXPECT_EQ(SpecialRanges()[special->special].prefix, *IpPrefix::Parse("10.0.0.0/8"));
  EXPECT_EQ(special->what, "private use, RFC 1918");
  EXPECT_EQ(refuse("2a00::5efe:1.2.3.4")->special, kIsatapRange);
  EXPECT_EQ(refuse("4000::1")->special, kNotGlobalRange);
}

TEST(PrefixSet, FindsTheLongest) {
  const std::vector<IpPrefix> prefixes{Prefix("10.0.0.0/8"), Prefix("10.1.0.0/16")};
  const PrefixSet set(prefixes);
  EXPECT_EQ(set.Find(Addr("10.1.2.3")), Prefix("10.1.0.0/16"));
  EXPECT_EQ(set.Find(Addr("10.2.2.3")), Prefix("10.0.0.0/8"));
  EXPECT_EQ(set.Find(Addr("11.0.0.0")), std::nullopt);
  EXPECT_EQ(set.Find(Addr("10.2.2.3"), 9), std::nullopt);
}

}  // namespace
}  // namespace perigee
