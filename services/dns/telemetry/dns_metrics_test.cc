#include "services/dns/telemetry/dns_metrics.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

#include <set>

namespace perigee::dns {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::Not;

std::string Text(const QueryCounterRegistry& counters, const DnsGauges& gauges = {}) {
  return prometheus::TextSerializer().Serialize(DnsMetrics(counters, ServerCounters(), gauges));
}

TEST(DnsMetrics, AddsUpTheBlocksOfAllWorkers) {
  QueryCounterRegistry registry;
  for (int i = 0; i < 2; ++i) {
    QueryCounters& block = registry.NewBlock();
    block.by_protocol[static_cast<size_t>(Transport::kTcp)].Add(3);
    block.CountType(RrType::kAaaa);
    block.CountRcode(Rcode::kNxDomain);
    block.CountReason(Reason::kHysteresis);
    block.CountDrop(DropReason::kRateLimited);
    block.truncated.Add(4);
    block.by_subnet[SubnetUse::kUsed].Add(5);
    block.by_subnet[SubnetUse::kSpecial].Add(1);
    block.cookies_valid.Add(6);
    block.cookies_invalid.Add(7);
  }
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_queries_total{protocol=\"udp\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_queries_total{protocol=\"tcp\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_queries_by_type_total{type=\"AAAA\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_responses_total{rcode=\"NXDOMAIN\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_steered_total{reason=\"hysteresis\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_dropped_total{reason=\"rate-limited\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_truncated_total 8\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_client_subnet_total{use=\"used\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_client_subnet_total{use=\"special\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_cookies_total{valid=\"true\"} 12\n"));
  EXPECT_THAT(text, HasSubstr("\nperigee_dns_cookies_total{valid=\"false\"} 14\n"));
}

TEST(DnsMetrics, NumbersWithoutAWordAppearWhenTheyAreSeen) {
  QueryCounterRegistry registry;
  QueryCounters& block = registry.NewBlock();
  EXPECT_THAT(Text(registry), Not(HasSubstr("TYPE62")));
  block.CountType(static_cast<RrType>(62));
  block.CountType(static_cast<RrType>(65000));
  block.CountRcode(static_cast<Rcode>(12));
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("{type=\"TYPE62\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{type=\"other\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{rcode=\"RCODE12\"} 1\n"));
}

TEST(DnsMetrics, EveryDropHasAWordAndNoReasonIsInvalid) {
  const QueryCounterRegistry registry;
  const std::string text = Text(registry);
  for (const char* word : {"not-a-query", "rate-limited", "slipped", "park-limit", "source-port-0",
                           "cut-datagram", "not-sent"}) {
    EXPECT_THAT(text, HasSubstr("perigee_dns_dropped_total{reason=\"" + std::string(word) + "\"} 0\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr("invalid")));
}

TEST(DnsMetrics, LatenciesAreAHistogram) {
  QueryCounterRegistry registry;
  registry.NewBlock().CountLatency(microseconds(3), 2);
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("perigee_dns_latency_seconds_bucket{le=\"2e-06\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("perigee_dns_latency_seconds_bucket{le=\"+Inf\"} 2\n"));
}

TEST(DnsMetrics, NoFamilyAppearsTwice) {
  std::set<std::string> names;
  for (const auto& family : DnsMetrics(QueryCounterRegistry(), ServerCounters(), {})) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
  }
}

}  // namespace
}  // namespace perigee::dns
