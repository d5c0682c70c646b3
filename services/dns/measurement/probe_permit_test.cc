#include "services/dns/measurement/probe_permit.h"

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

class ProbePermitTest : public testing::Test {
 protected:
  absl::Status Ask(std::string_view client) {
    return permit_.Ask(KeyOf(*IpAddress::Parse(client), Presence::kProven), clock_.Now());
  }
  absl::Status AskUnproven(std::string_view client) {
    return permit_.Ask(KeyOf(*IpAddress::Parse(client)), clock_.Now());
  }
  absl::Status AskHearsay(std::string_view client) {
    ClientKey hearsay = KeyOf(*IpAddress::Parse(client), Presence::kProven);
    hearsay.hearsay_of = *IpAddress::Parse("8.8.8.8");
    return permit_.Ask(hearsay, clock_.Now());
  }
  void Connect(std::string_view client) { permit_.OnConnection(ClientPrefix(*IpAddress::Parse(client))); }
  uint64_t Refused(ProbeRefusal reason) const { return counters_.probes_refused[reason].value(); }

  FakeClock clock_;
  MeasurementCounters counters_;
  ProbePermit permit_{
      AddressPolicy({.allow_special = {},
                     .opt_out = {*IpPrefix::Parse("9.9.9.0/24")},
                     .own = {*IpAddress::Parse("9.0.0.1")}}),
      {.packets_per_second = 30, .unproven_packets_per_second = 15, .packets_per_prefix_per_second = 20},
      &counters_};
};

TEST_F(ProbePermitTest, CountsARefusedAddressUnderItsReasonAndRange) {
  EXPECT_EQ(Ask("10.1.2.3").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(Ask("10.9.9.9").ok());
  EXPECT_FALSE(Ask("4000::1").ok());
  EXPECT_EQ(Refused(ProbeRefusal::kSpecialRange), 3u);
  size_t ten = 0;
  while (SpecialRanges()[ten].prefix != *IpPrefix::Parse("10.0.0.0/8")) ++ten;
  EXPECT_EQ(counters_.special_ranges[ten].value(), 2u);
  EXPECT_EQ(counters_.special_ranges[kNotGlobalRange].value(), 1u);

  EXPECT_FALSE(Ask("9.9.9.9").ok());
  EXPECT_EQ(Refused(ProbeRefusal::kOptOut), 1u);
  EXPECT_FALSE(Ask("9.0.0.1").ok());
  EXPECT_EQ(Refused(ProbeRefusal::kOwnAddress), 1u);
}

TEST_F(ProbePermitTest, CountsWhatTheBudgetsRefuse) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Ask("1.2.3.4").ok());
  EXPECT_EQ(Ask("1.2.3.4").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Refused(ProbeRefusal::kPrefixBudget), 1u);
  EXPECT_EQ(Refused(ProbeRefusal::kGlobalBudget), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Ask("1.2.4.4").ok());
  EXPECT_FALSE(Ask("1.2.4.4").ok());
  EXPECT_EQ(Refused(ProbeRefusal::kGlobalBudget), 1u);
}

TEST_F(ProbePermitTest, TheUnprovenLeaveTheBudgetOfTheOthersAlone) {
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(AskUnproven("1.2.3.4").ok());
  EXPECT_EQ(AskUnproven("1.2.4.4").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Refused(ProbeRefusal::kUnprovenBudget), 1u);
  EXPECT_TRUE(Ask("1.2.4.4").ok());
}

TEST_F(ProbePermitTest, AConnectionProvesThatSomebodyIsThere) {
  for (int i = 0; i < 15; ++i) AskUnproven("1.2.3.4").IgnoreError();
  EXPECT_FALSE(AskUnproven("1.2.4.4").ok());
  Connect("1.2.4.99");
  EXPECT_TRUE(AskUnproven("1.2.4.4").ok());
}

TEST_F(ProbePermitTest, HearsayIsProbedOnceAConnectionCameFromThere) {
  EXPECT_EQ(AskHearsay("1.2.3.4").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Refused(ProbeRefusal::kHearsay), 1u);
  Connect("1.2.3.99");
  EXPECT_TRUE(AskHearsay("1.2.3.4").ok());
  EXPECT_FALSE(AskHearsay("1.2.4.4").ok());
}

TEST_F(ProbePermitTest, RemembersSoManyConnectedNetworksAndForgetsTheFirst) {
  Connect("1.2.3.4");
  const auto connect_others = [this](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      const std::array<uint8_t, 4> address{5, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), 0};
      permit_.OnConnection(IpPrefix(IpAddress::V4(address), 24));
    }
  };
  connect_others(0, kMaxConnectedPrefixes - 1);
  EXPECT_TRUE(AskHearsay("1.2.3.4").ok());
  connect_others(kMaxConnectedPrefixes - 1, kMaxConnectedPrefixes);
  EXPECT_FALSE(AskHearsay("1.2.3.4").ok());
}

}  // namespace
}  // namespace perigee::dns
