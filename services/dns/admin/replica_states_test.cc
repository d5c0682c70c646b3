#include "services/dns/admin/replica_states.h"

#include "gtest/gtest.h"
#include "services/dns/admin/director_service.h"

namespace perigee::dns {
namespace {

v1::SetReplicaStateRequest Request(const std::string& replica, v1::OperatorState state) {
  v1::SetReplicaStateRequest request;
  request.set_replica(replica);
  request.set_state(state);
  return request;
}

class ReplicaStatesTest : public testing::Test {
 protected:
  FleetState fleet_{{{.name = "dublin", .weight = 50, .max_requests_per_second = 100}, {.name = "tokyo"}}};
};

TEST_F(ReplicaStatesTest, SavesThenSetsAndTellsWhatWasReplaced) {
  std::string saved;
  const auto save = [&](const std::string& replica, OperatorState state) {
    EXPECT_NE(fleet_.operator_state(ToReplicaId(0)), state) << "saved first";
    saved = replica + " " + std::string(Word(state));
    return absl::OkStatus();
  };
  auto response = SetReplicaState(Request("dublin", v1::OPERATOR_STATE_DRAIN), fleet_, save);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->previous(), v1::OPERATOR_STATE_AUTO);
  EXPECT_EQ(saved, "dublin drain");
  response = SetReplicaState(Request("dublin", v1::OPERATOR_STATE_FORCE_UP), fleet_, save);
  EXPECT_EQ(response->previous(), v1::OPERATOR_STATE_DRAIN);
  EXPECT_EQ(fleet_.operator_state(ToReplicaId(0)), OperatorState::kForceUp);
}

TEST_F(ReplicaStatesTest, WhatCannotBeSavedDoesNotHold) {
  const auto response = SetReplicaState(Request("dublin", v1::OPERATOR_STATE_DRAIN), fleet_,
                                        [](const auto&, auto) { return absl::UnavailableError("full"); });
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(fleet_.operator_state(ToReplicaId(0)), OperatorState::kAuto);
}

TEST_F(ReplicaStatesTest, AnUnknownReplicaOrStateIsRefused) {
  const auto unknown = SetReplicaState(Request("lima", v1::OPERATOR_STATE_DRAIN), fleet_, {});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(unknown.status().message(), "no replica is called \"lima\"; `cdnctl status` lists them");
  const auto state = SetReplicaState(Request("dublin", static_cast<v1::OperatorState>(7)), fleet_, {});
  EXPECT_EQ(state.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ReplicaStatesTest, ListReplicasShowsThem) {
  fleet_.SetOperatorState(ToReplicaId(0), OperatorState::kDrain);
  fleet_.SetLoad(ToReplicaId(0), 150);
  const v1::ListReplicasResponse response = ListReplicas(fleet_);
  const v1::ReplicaState& dublin = response.replicas(0);
  EXPECT_EQ(dublin.operator_state(), v1::OPERATOR_STATE_DRAIN);
  EXPECT_EQ(dublin.requests_per_second(), 150u);
  EXPECT_TRUE(dublin.overloaded());
  EXPECT_EQ(dublin.weight(), 50u);
  EXPECT_FALSE(dublin.healthy()) << "no clients are sent there";
  EXPECT_TRUE(dublin.server_healthy()) << "though the server is well";
  EXPECT_EQ(response.replicas(1).weight(), 100u);
}

}  // namespace
}  // namespace perigee::dns
