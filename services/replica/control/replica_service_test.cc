#include "services/replica/control/replica_service.h"

#include "lib/rpc/control.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using testing::Answer;
using testing::kPrivate;
using testing::Ok;
using testing::ServerTest;

TEST(ReplicaService, EveryFigureHasItsOwnField) {
  const ServerStats server{.connections = 1,
                           .requests = 2,
                           .hits = 3,
                           .misses = 4,
                           .revalidated = 5,
                           .stale = 6,
                           .origin_errors = 7,
                           .collapsed = 8};
  CacheStats cache;
  cache.objects = 9;
  cache.bytes = 10;
  cache.budget_bytes = 11;
  cache.memory_bytes = 12;
  cache.memory_budget_bytes = 13;
  cache.evictions = 14;
  cache.purges = 16;
  cache.purged_objects = 17;
  cache.disk_ok = true;
  cache.disk_errors = 18;
  const v1::StatsResponse out = ToProto(server, cache, std::chrono::seconds(15));
  EXPECT_EQ(out.connections(), 1u);
  EXPECT_EQ(out.requests(), 2u);
  EXPECT_EQ(out.hits(), 3u);
  EXPECT_EQ(out.misses(), 4u);
  EXPECT_EQ(out.revalidated(), 5u);
  EXPECT_EQ(out.stale(), 6u);
  EXPECT_EQ(out.origin_errors(), 7u);
  EXPECT_EQ(out.collapsed(), 8u);
  EXPECT_EQ(out.cache_objects(), 9u);
  EXPECT_EQ(out.cache_bytes(), 10u);
  EXPECT_EQ(out.cache_budget_bytes(), 11u);
  EXPECT_EQ(out.memory_bytes(), 12u);
  EXPECT_EQ(out.memory_budget_bytes(), 13u);
  EXPECT_EQ(out.evictions(), 14u);
  EXPECT_EQ(out.uptime_seconds(), 15u);
  EXPECT_EQ(out.purges(), 16u);
  EXPECT_EQ(out.purged_objects(), 17u);
  EXPECT_TRUE(out.disk_ok());
  EXPECT_EQ(out.disk_errors(), 18u);
}

TEST_F(ServerTest, StatsOverTheControlPortTellWhatWasServed) {
  Start(Answer(Ok("hello")));
  FakeClock clock;
  ReplicaService service(*server_, *cache_, clock);
  auto control = ControlServer::Start(*IpEndpoint::Parse("127.0.0.1:0"), {}, {&service});
  ASSERT_TRUE(control.ok()) << control.status();
  Fetch("/a");
  Fetch("/a");
  origin_->SetScript(Answer(Ok("other", kPrivate)));
  Fetch("/b");
  clock.Advance(std::chrono::seconds(61));

  const IpEndpoint peer{*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>((*control)->port())};
  const auto stub = v1::Replica::NewStub(ControlChannel(peer, CallerCredentials::PlainText()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  v1::StatsResponse stats;
  const grpc::Status status = stub->Stats(&context, {}, &stats);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(stats.uptime_seconds(), 61u);
  EXPECT_EQ(stats.requests(), 3u);
  EXPECT_EQ(stats.hits(), 1u);
  EXPECT_EQ(stats.misses(), 2u);
  EXPECT_EQ(stats.cache_objects(), 1u);
  EXPECT_GT(stats.cache_bytes(), 0u);
  EXPECT_EQ(stats.cache_budget_bytes(), cache_->Stats().budget_bytes);
}

}  // namespace
}  // namespace perigee::replica
