#include "services/dns/telemetry/readiness.h"

#include <gmock/gmock.h>

namespace perigee::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Readiness Well() {
  return {.phase = Phase::kServing, .zones = 1, .replicas = 9, .usable_replicas = 8, .probers_up = 9};
}

TEST(DnsReadiness, IsReadyWhileOneReplicaIsUsable) {
  Readiness now = Well();
  now.usable_replicas = 1;
  EXPECT_EQ(Text(DnsReadiness(now)), "ok\n");
}

TEST(DnsReadiness, IsNotReadyBeforeItServesNorOnceItStops) {
  for (const Phase phase : {Phase::kStarting, Phase::kStopping}) {
    Readiness now = Well();
    now.phase = phase;
    EXPECT_FALSE(DnsReadiness(now).ok());
  }
}

TEST(DnsReadiness, NeedsAZone) {
  Readiness now = Well();
  now.zones = 0;
  EXPECT_THAT(DnsReadiness(now).failures, ElementsAre("no zone is loaded"));
}

TEST(DnsReadiness, WithoutAUsableReplicaNamesWhatClientsGet) {
  Readiness now = Well();
  now.usable_replicas = 0;
  const HealthVerdict best_known = DnsReadiness(now);
  EXPECT_TRUE(best_known.ok());
  EXPECT_THAT(best_known.degraded, ElementsAre("none of 9 replicas is usable: clients get the best that is "
                                               "known (ALL_DOWN_BEST_KNOWN)"));
  now.fails_when_all_down = true;
  const HealthVerdict servfail = DnsReadiness(now);
  EXPECT_THAT(servfail.failures,
              ElementsAre("none of 9 replicas is usable: clients get SERVFAIL (ALL_DOWN_SERVFAIL)"));
  EXPECT_THAT(servfail.degraded, IsEmpty());
}

TEST(DnsReadiness, WithoutAProberItAnswersWorse) {
  Readiness now = Well();
  now.probers_up = 0;
  EXPECT_EQ(Text(DnsReadiness(now)), "ok\ndegraded: no prober is up: new clients are not measured\n");
}

}  // namespace
}  // namespace perigee::dns
