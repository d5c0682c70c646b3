#include "services/dns/director/steering_options.h"

#include "gtest/gtest.h"
#include "lib/config/fleet.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

v1::FleetConfig Fleet() {
  v1::FleetConfig fleet = DefaultFleet();
  for (const char* name : {"dublin", "tokyo"}) fleet.add_replica()->set_name(name);
  return fleet;
}

TEST(SteeringOptions, WhatTheFileLeavesOutHasItsDefault) {
  const auto options = SteeringOptionsFrom(Fleet());
  ASSERT_TRUE(options.ok()) << options.status();
  for (const Reason reason :
       {Reason::kMeasuredBest, Reason::kHysteresis, Reason::kBand, Reason::kOverride, Reason::kClientele}) {
    EXPECT_EQ(options->ttl(reason), seconds(60)) << Word(reason);
  }
  for (const Reason reason : {Reason::kHoldExpired, Reason::kNeighbour, Reason::kHashed, Reason::kAllDown,
                              Reason::kShed, Reason::kLeastFloor}) {
    EXPECT_EQ(options->ttl(reason), seconds(5)) << Word(reason);
  }
  EXPECT_EQ(options->addresses_per_answer, 1u);
  EXPECT_EQ(options->rules.weight(ToReplicaId(1)), kDefaultWeight);
  EXPECT_FALSE(options->rules.band);
  EXPECT_EQ(options->all_down, AllDownPolicy::kBestKnown);
  EXPECT_EQ(options->ages.soft, seconds(3600));
  EXPECT_TRUE(options->overrides.empty());
}

TEST(SteeringOptions, TakesWhatTheFileSays) {
  v1::FleetConfig fleet = Fleet();
  fleet.mutable_replica(1)->set_weight(7);
  v1::SteeringConfig& steering = *fleet.mutable_steering();
  steering.set_latency_band(true);
  steering.set_addresses_per_answer(3);
  steering.set_all_down(v1::ALL_DOWN_SERVFAIL);
  auto& ttl = *steering.add_reason_ttl();
  ttl.set_reason("hold-expired");
  ttl.set_ttl_seconds(0);
  auto& set = *steering.add_override();
  set.set_prefix("192.0.2.0/24");
  set.set_replica("tokyo");
  const auto options = SteeringOptionsFrom(fleet);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->ttl(Reason::kHoldExpired), seconds(0));
  EXPECT_EQ(options->ttl(Reason::kHashed), seconds(5));
  EXPECT_EQ(options->rules.weight(ToReplicaId(1)), 7u);
  EXPECT_TRUE(options->rules.band);
  EXPECT_EQ(options->addresses_per_answer, 3u);
  EXPECT_TRUE(options->Fails({ToReplicaId(0), Reason::kAllDown}));
  EXPECT_FALSE(options->Fails({ToReplicaId(0), Reason::kHashed}));
  const Override* found = options->overrides.Find(*IpAddress::Parse("192.0.2.9"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->replica, ToReplicaId(1));
}

TEST(SteeringOptions, WhatThereIsNotIsInvalid) {
  v1::FleetConfig fleet = Fleet();
  fleet.mutable_steering()->add_reason_ttl()->set_reason("whim");
  EXPECT_EQ(SteeringOptionsFrom(fleet).status().message(), "steering.reason_ttl: there is no reason 'whim'");
  fleet = Fleet();
  auto& set = *fleet.mutable_steering()->add_override();
  set.set_prefix("192.0.2.0/24");
  set.set_replica("lima");
  EXPECT_EQ(SteeringOptionsFrom(fleet).status().message(),
            "steering.override: 192.0.2.0/24: there is no replica 'lima'");
  set.set_prefix("192.0.2.1/24");
  EXPECT_EQ(SteeringOptionsFrom(fleet).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace perigee::dns
