#include "services/dns/admin/director_service.h"

#include <cctype>
#include <string>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const IpAddress kClient = *IpAddress::Parse("198.18.7.7");

class DirectorServiceTest : public testing::Test {
 protected:
  // dublin is 30 ms away by echo, tokyo 20 ms by SYN and chosen, lima silent.
  void Measured() {
    MapRow row{.decision = {ToReplicaId(1), Reason::kHoldExpired}, .measured_at = clock_.Now()};
    row.samples[0] = {milliseconds(30), Method::kIcmpEcho};
    row.samples[1] = {milliseconds(20), Method::kTcpSyn};
    row.samples[2] = {Rtt::zero(), Method::kSilent};
    map_.Put(ClientPrefix(kClient), row);
  }
  DirectorView View() const { return {clients_, fleet_, options_, clock_.Now(), nullptr}; }
  v1::ExplainResponse ExplainOk(const std::string& client) {
    auto response = Explain(client, View());
    EXPECT_TRUE(response.ok()) << response.status();
    return *std::move(response);
  }

  FakeClock clock_;
  FleetState fleet_{
      {{.name = "dublin", .ipv4 = *IpAddress::Parse("192.0.2.1")},
       {.name = "tokyo", .ipv6 = *IpAddress::Parse("2001:db8::2")},
       {.name = "lima", .ipv4 = *IpAddress::Parse("192.0.2.3"), .ipv6 = *IpAddress::Parse("2001:db8::3")}}};
  RttMap map_{3, 1000, clock_.Now()};
  SteeringOptions options_;
  KnownClients clients_{map_, fleet_, options_};
};

TEST_F(DirectorServiceTest, ExplainsAKnownClient) {
  Measured();
  clock_.Advance(seconds(42));
  const v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_TRUE(response.known());
  EXPECT_EQ(response.prefix(), ClientPrefix(kClient).ToString());
  EXPECT_EQ(response.replica(), "tokyo");
  EXPECT_EQ(response.reason(), v1::REASON_HOLD_EXPIRED);
  EXPECT_EQ(response.age_seconds(), 42u);
  ASSERT_EQ(response.rtts_size(), 3);
  EXPECT_EQ(response.rtts(0).replica(), "dublin");
  EXPECT_EQ(response.rtts(0).method(), v1::METHOD_ICMP_ECHO);
  EXPECT_EQ(response.rtts(0).rtt_us(), 30'000u);
  EXPECT_EQ(response.rtts(1).method(), v1::METHOD_TCP_SYN);
  EXPECT_EQ(response.rtts(1).rtt_us(), 20'000u);
  EXPECT_EQ(response.rtts(2).method(), v1::METHOD_SILENT);
  EXPECT_EQ(response.rtts(2).rtt_us(), 0u);
  for (const v1::ReplicaRtt& row : response.rtts()) EXPECT_TRUE(row.healthy()) << row.replica();
}

TEST_F(DirectorServiceTest, ExplainsAnUnknownClientByTheFleetAlone) {
  Measured();
  const v1::ExplainResponse response = ExplainOk("203.0.113.9");
  EXPECT_FALSE(response.known());
  EXPECT_EQ(response.replica(), "");
  EXPECT_EQ(response.reason(), v1::REASON_UNSPECIFIED);
  ASSERT_EQ(response.rtts_size(), 3);
  for (const v1::ReplicaRtt& row : response.rtts()) {
    EXPECT_EQ(row.method(), v1::METHOD_UNSPECIFIED) << row.replica();
    EXPECT_EQ(row.rtt_us(), 0u) << row.replica();
  }
}

TEST_F(DirectorServiceTest, ARowTooOldToAnswerFromIsNotShown) {
  Measured();
  clock_.Advance(MapAges{}.hard + seconds(1));
  const v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_FALSE(response.known());
  EXPECT_EQ(response.rtts(0).method(), v1::METHOD_UNSPECIFIED);
}

TEST_F(DirectorServiceTest, ExplainsWhereTheClientsOfALostReplicaGo) {
  Measured();
  fleet_.SetUp(Part::kServer, ToReplicaId(1), false);
  const v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_EQ(response.replica(), "dublin");
  EXPECT_EQ(response.reason(), v1::REASON_MEASURED_BEST);
  EXPECT_TRUE(response.rtts(0).healthy());
  EXPECT_FALSE(response.rtts(1).healthy());
  EXPECT_EQ(response.rtts(1).rtt_us(), 20'000u) << "what was measured is shown all the same";
}

TEST_F(DirectorServiceTest, ExplainsTheAnswerThatAQueryWouldGet) {
  Measured();
  v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_EQ(response.ttl_seconds(), 5u) << "of an answer given when the hold expired";
  EXPECT_EQ(response.scope_length(), 24u);
  EXPECT_FALSE(response.stale());
  clock_.Advance(seconds(3601));
  EXPECT_TRUE(ExplainOk("198.18.7.7").stale());
}

TEST_F(DirectorServiceTest, ExplainsWhereTheClientsOfAnOverloadedReplicaGo) {
  Measured();
  fleet_.SetOverloaded(ToReplicaId(1), true);
  const v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_EQ(response.replica(), "dublin");
  EXPECT_EQ(response.reason(), v1::REASON_SHED);
  EXPECT_FALSE(response.rtts(0).overloaded());
  EXPECT_TRUE(response.rtts(1).overloaded());
}

TEST_F(DirectorServiceTest, ExplainsAnOverrideOfAClientThatWasNeverMeasured) {
  options_.overrides = Overrides({{*IpPrefix::Parse("198.18.0.0/16"), ToReplicaId(2)}});
  v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_FALSE(response.known());
  EXPECT_EQ(response.replica(), "lima");
  EXPECT_EQ(response.reason(), v1::REASON_OVERRIDE);
  EXPECT_EQ(response.ttl_seconds(), 60u);
  EXPECT_EQ(response.scope_length(), 16u);
  Measured();
  response = ExplainOk("198.18.7.7");
  EXPECT_TRUE(response.known());
  EXPECT_EQ(response.replica(), "lima");
  EXPECT_EQ(response.rtts(1).rtt_us(), 20'000u) << "what was measured is shown all the same";
}

TEST_F(DirectorServiceTest, WithAllDownAndServfailWantedThereIsNoReplica) {
  Measured();
  for (size_t i = 0; i < 3; ++i) fleet_.SetUp(Part::kServer, ToReplicaId(i), false);
  EXPECT_EQ(ExplainOk("198.18.7.7").replica(), "tokyo");
  options_.all_down = AllDownPolicy::kServfail;
  const v1::ExplainResponse response = ExplainOk("198.18.7.7");
  EXPECT_EQ(response.replica(), "");
  EXPECT_EQ(response.reason(), v1::REASON_ALL_DOWN);
}

TEST(Reasons, AreThoseOfTheProtoWithTheSameNumbers) {
  EXPECT_EQ(kReasons, static_cast<size_t>(v1::Reason_MAX) + 1);
  for (const Reason reason : kAllReasons) {
    std::string name = v1::Reason_Name(static_cast<int>(reason)).substr(std::string("REASON_").size());
    for (char& c : name) c = c == '_' ? '-' : static_cast<char>(std::tolower(c));
    EXPECT_EQ(name, Word(reason));
  }
}

TEST_F(DirectorServiceTest, WhatIsNotAnAddressIsInvalid) {
  for (const char* client : {"", "dublin", "198.18.7", "198.18.7.0/24", "198.18.7.7:53"}) {
    EXPECT_EQ(Explain(client, View()).status().code(), absl::StatusCode::kInvalidArgument) << client;
  }
}

TEST_F(DirectorServiceTest, ListsReplicasAsTheFleetFileAndTheHeartbeatHaveThem) {
  fleet_.SetUp(Part::kProber, ToReplicaId(0), false);
  fleet_.SetUp(Part::kServer, ToReplicaId(1), false);
  fleet_.SetControlRtt(ToReplicaId(2), milliseconds(7));
  fleet_.SetDistance(ToReplicaId(0), ToReplicaId(2), milliseconds(90));
  fleet_.SetDistance(ToReplicaId(1), ToReplicaId(2), milliseconds(80));
  const v1::ListReplicasResponse response = ListReplicas(fleet_);
  ASSERT_EQ(response.replicas_size(), 3);
  const v1::ReplicaState& dublin = response.replicas(0);
  const v1::ReplicaState& tokyo = response.replicas(1);
  const v1::ReplicaState& lima = response.replicas(2);
  EXPECT_EQ(dublin.name(), "dublin");
  EXPECT_EQ(dublin.ipv4(), "192.0.2.1");
  EXPECT_EQ(dublin.ipv6(), "");
  EXPECT_FALSE(dublin.healthy());
  EXPECT_FALSE(dublin.prober_healthy());
  EXPECT_TRUE(dublin.server_healthy());
  EXPECT_EQ(dublin.control_rtt_us(), 0u);
  EXPECT_EQ(dublin.distances_known(), 1u);
  EXPECT_EQ(tokyo.ipv4(), "");
  EXPECT_EQ(tokyo.ipv6(), "2001:db8::2");
  EXPECT_FALSE(tokyo.healthy());
  EXPECT_TRUE(tokyo.prober_healthy());
  EXPECT_FALSE(tokyo.server_healthy());
  EXPECT_TRUE(lima.healthy());
  EXPECT_EQ(lima.control_rtt_us(), 7'000u);
  EXPECT_EQ(lima.distances_known(), 2u);
}

}  // namespace
}  // namespace perigee::dns
