#include "services/replica/fetch/resolver.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "services/replica/testing/name_server.h"

namespace perigee::replica {
namespace {

using testing::NameServer;

// Looks up `times` times at once; returns the last result as text.
std::string LookUp(asio::io_context& io, Resolver& resolver, int times = 1) {
  std::string result;
  int left = times;
  for (int i = 0; i < times; ++i) {
    asio::co_spawn(
        io,
        [](Resolver& asked, std::string* out, int* waiting) -> Task<> {
          const auto addresses = co_await asked.Addresses();
          *out = addresses.ok() ? addresses->front().ToString() : std::string(addresses.status().message());
          --*waiting;
        }(resolver, &result, &left),
        asio::detached);
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (left > 0 && std::chrono::steady_clock::now() < give_up)
    io.run_one_for(std::chrono::milliseconds(50));
  return result;
}

TEST(Resolver, LiteralsAreTheirOwnAnswer) {
  asio::io_context io;
  Resolver resolver(io.get_executor(), "2001:db8::1", {});
  EXPECT_EQ(LookUp(io, resolver), "2001:db8::1");
}

TEST(Resolver, OneLookupServesAllUntilTheTtlEnds) {
  asio::io_context io;
  NameServer server(io, {"192.0.2.1"}, 60);
  Resolver resolver(io.get_executor(), "origin.test", {.servers = server.address()});
  EXPECT_EQ(LookUp(io, resolver, 10), "192.0.2.1");
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  EXPECT_EQ(server.a_queries, 1);
}

TEST(Resolver, AsksAgainWhenTheTtlHasEndedAndKeepsTheLastAnswerWhenThatFails) {
  asio::io_context io;
  NameServer server(io, {"192.0.2.1"}, 0);  // counts as kMinTtl
  Resolver resolver(io.get_executor(), "origin.test",
                    {.timeout = std::chrono::milliseconds(200), .servers = server.address()});
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  io.run_for(Resolver::kMinTtl);
  server.silent = true;
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  EXPECT_GT(server.a_queries, 1);
}

TEST(Resolver, AnAliasCountsNoLongerThanItsOwnTtl) {
  asio::io_context io;
  NameServer server(io, {"192.0.2.1"}, 60);
  server.alias_ttl = 1;
  Resolver resolver(io.get_executor(), "origin.test", {.servers = server.address()});
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  io.run_for(std::chrono::milliseconds(1'010));
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  EXPECT_EQ(server.a_queries, 2);
}

TEST(Resolver, SilentNameServerIsAnErrorInTime) {
  asio::io_context io;
  NameServer server(io, {"192.0.2.1"}, 60);
  server.silent = true;
  Resolver resolver(io.get_executor(), "origin.test",
                    {.timeout = std::chrono::milliseconds(200), .servers = server.address()});
  EXPECT_THAT(LookUp(io, resolver), ::testing::HasSubstr("origin.test has no address"));
}

}  // namespace
}  // namespace perigee::replica
