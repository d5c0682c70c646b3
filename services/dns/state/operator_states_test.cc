#include "services/dns/state/operator_states.h"

#include "services/dns/state/state_testing.h"

namespace perigee::dns {
namespace {

std::unique_ptr<OperatorStates> States(const StateFile& file) {
  auto states = OperatorStates::Open(file);
  EXPECT_TRUE(states.ok()) << states.status();
  return *std::move(states);
}

TEST_F(StateFileTest, AnOperatorsWordHoldsOverARestart) {
  {
    auto file = Open();
    auto states = States(*file);
    ASSERT_TRUE(states->Save("dublin", OperatorState::kDrain).ok());
    ASSERT_TRUE(states->Save("tokyo", OperatorState::kDrain).ok());
    ASSERT_TRUE(states->Save("tokyo", OperatorState::kForceUp).ok());
    ASSERT_TRUE(states->Save("lima", OperatorState::kDrain).ok());
    ASSERT_TRUE(states->Save("lima", OperatorState::kAuto).ok());
    ASSERT_TRUE(states->Save("gone", OperatorState::kDrain).ok());
  }
  auto file = Open();
  FleetState fleet({{.name = "lima"}, {.name = "tokyo"}, {.name = "dublin"}});
  ASSERT_TRUE(States(*file)->Load(fleet).ok());
  EXPECT_EQ(fleet.operator_state(ToReplicaId(0)), OperatorState::kAuto);
  EXPECT_EQ(fleet.operator_state(ToReplicaId(1)), OperatorState::kForceUp);
  EXPECT_EQ(fleet.operator_state(ToReplicaId(2)), OperatorState::kDrain);
}

TEST_F(StateFileTest, WhatCannotBeSavedIsUnavailable) {
  auto file = Open();
  auto states = States(*file);
  ASSERT_TRUE(file->Connect(false)->Execute("DROP TABLE operator_state").ok());
  const absl::Status status = states->Save("dublin", OperatorState::kDrain);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(
      std::string(status.message()).starts_with("the state of dublin is not saved, and so does not hold: "))
      << status;
}

}  // namespace
}  // namespace perigee::dns
