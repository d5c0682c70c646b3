#include "services/replica/telemetry/readiness.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

TEST(ReplicaReadiness, IsReadyWhenItServes) {
  EXPECT_EQ(Text(ReplicaReadiness({.phase = Phase::kServing})), "ok\n");
  EXPECT_EQ(Text(ReplicaReadiness({.phase = Phase::kStarting})), "starting\n");
  EXPECT_EQ(Text(ReplicaReadiness({.phase = Phase::kStopping})), "stopping\n");
}

TEST(ReplicaReadiness, WhoIsDrainedWantsNoNewClients) {
  EXPECT_EQ(Text(ReplicaReadiness({.phase = Phase::kServing, .drained = true, .connections = 7})),
            "drained by an operator: 7 connections are served on\n");
}

TEST(ReplicaReadiness, SaysWhatItDoesWithoutAndServesOn) {
  EXPECT_EQ(Text(ReplicaReadiness({.phase = Phase::kServing, .disk_ok = false, .circuit_open = true})),
            "ok\n"
            "degraded: the cache is in memory alone, for its disk is out\n"
            "degraded: the origin fails and is not asked: only what is stored is served\n");
}

}  // namespace
}  // namespace perigee::replica
