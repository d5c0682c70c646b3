#include "services/dns/telemetry/query_counters.h"

#include <gmock/gmock.h>

namespace perigee::dns {
namespace {

TEST(QueryCounters, CountsWhatHasNoPlaceOfItsOwnUnderTheLast) {
  QueryCounters counters;
  counters.CountType(RrType::kA);
  counters.CountType(static_cast<RrType>(63));
  counters.CountType(static_cast<RrType>(64));
  counters.CountType(RrType::kAny);
  counters.CountRcode(static_cast<Rcode>(23));
  counters.CountRcode(static_cast<Rcode>(4095));
  counters.CountReason(static_cast<Reason>(255));
  EXPECT_EQ(counters.by_type[1].value(), 1u);
  EXPECT_EQ(counters.by_type[63].value(), 1u);
  EXPECT_EQ(counters.by_type[QueryCounters::kTypes - 1].value(), 2u);
  EXPECT_EQ(counters.by_rcode[23].value(), 1u);
  EXPECT_EQ(counters.by_rcode[QueryCounters::kRcodes - 1].value(), 1u);
  EXPECT_EQ(counters.by_reason[QueryCounters::kReasons - 1].value(), 1u);
}

TEST(QueryCounterRegistry, ShowsEveryBlock) {
  QueryCounterRegistry registry;
  QueryCounters& first = registry.NewBlock();
  registry.NewBlock().truncated.Add(5);
  first.truncated.Add(2);
  uint64_t sum = 0;
  registry.ForEach([&](const QueryCounters& block) { sum += block.truncated.value(); });
  EXPECT_EQ(sum, 7u);
}

}  // namespace
}  // namespace perigee::dns
