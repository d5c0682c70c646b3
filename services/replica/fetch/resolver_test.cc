#include "services/replica/fetch/resolver.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/udp.hpp>

namespace perigee::replica {
namespace {

using Udp = asio::ip::udp;

// A name server on loopback: every A query gets 192.0.2.1 with this TTL, every AAAA query nothing.
class NameServer {
 public:
  NameServer(asio::io_context& io, uint32_t ttl)
      : socket_(io, Udp::endpoint(asio::ip::address_v4::loopback(), 0)), ttl_(ttl) {
    Receive();
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", socket_.local_endpoint().port()); }

  int a_queries = 0;
  bool silent = false;

 private:
  void Receive() {
    socket_.async_receive_from(asio::buffer(query_), from_, [this](const error_code& error, size_t size) {
      if (error) return;
      Answer(size);
      Receive();
    });
  }

  void Answer(size_t size) {
    size_t end = 12;
    while (query_[end] != 0) end += static_cast<size_t>(query_[end]) + 1;
    end += 5;  // root label, type, class
    const bool is_a = query_[end - 3] == 1;
    if (end > size) return;
    if (is_a) ++a_queries;
    if (silent) return;
    std::string answer(query_.data(), end);
    answer[2] = '\x81';
    answer[3] = '\x80';
    answer[7] = is_a ? 1 : 0;
    answer[11] = 0;  // no additional records
    if (is_a) {
      // c0 0c: the name asked for; type A, class IN, TTL, four bytes of address
      answer += std::string("\xc0\x0c\x00\x01\x00\x01", 6);
      for (int shift = 24; shift >= 0; shift -= 8) answer += static_cast<char>(ttl_ >> shift);
      answer += std::string("\x00\x04\xc0\x00\x02\x01", 6);
    }
    socket_.send_to(asio::buffer(answer), from_);
  }

  Udp::socket socket_;
  Udp::endpoint from_;
  uint32_t ttl_;
  std::array<char, 512> query_;
};

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
  NameServer server(io, 60);
  Resolver resolver(io.get_executor(), "origin.test", {.servers = server.address()});
  EXPECT_EQ(LookUp(io, resolver, 10), "192.0.2.1");
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  EXPECT_EQ(server.a_queries, 1);
}

TEST(Resolver, AsksAgainWhenTheTtlHasEndedAndKeepsTheLastAnswerWhenThatFails) {
  asio::io_context io;
  NameServer server(io, 0);  // counts as kMinTtl
  Resolver resolver(io.get_executor(), "origin.test",
                    {.timeout = std::chrono::milliseconds(200), .servers = server.address()});
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  io.run_for(Resolver::kMinTtl);
  server.silent = true;
  EXPECT_EQ(LookUp(io, resolver), "192.0.2.1");
  EXPECT_GT(server.a_queries, 1);
}

TEST(Resolver, SilentNameServerIsAnErrorInTime) {
  asio::io_context io;
  NameServer server(io, 60);
  server.silent = true;
  Resolver resolver(io.get_executor(), "origin.test",
                    {.timeout = std::chrono::milliseconds(200), .servers = server.address()});
  EXPECT_THAT(LookUp(io, resolver), ::testing::HasSubstr("origin.test has no address"));
}

}  // namespace
}  // namespace perigee::replica
