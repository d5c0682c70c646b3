// One TCP connection: three coroutines (read, write, watch for idleness) that end together.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/address.h"
#include "services/dns/responder/responder.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

struct TcpLimits {
  std::chrono::milliseconds idle_timeout;
  size_t max_parked;
};

// All members run on the connection's one thread.
class TcpConnection {
 public:
  static constexpr size_t kMaxQuerySize = 4096;                 // a longer one closes the connection
  static constexpr size_t kMaxUnsentSize = size_t{128} * 1024;  // no query is read while more than that waits

  // What the connection asks of its server.
  struct Hooks {
    // Hands a query over to be parked; Deliver is called once for it, later, with an empty answer for none.
    std::function<void(std::span<const uint8_t> query, const Asker& asker)> park;
    // Something useful happened.
    std::function<void()> touch;
  };

  // `scratch` has room for the largest answer; it is shared with the other connections of the thread.
  TcpConnection(boost::asio::ip::tcp::socket socket, const IpAddress& client, TcpLimits limits,
                Responder* responder, std::span<uint8_t> scratch);

  void set_hooks(Hooks hooks) { hooks_ = std::move(hooks); }

  // Serves until the client is done, gone or too slow. `this` must live until it is through.
  boost::asio::awaitable<void> Serve();
  // Why Serve ended, once it has.
  TcpClose end() const { return end_.value_or(TcpClose::kClient); }

  // The answer to a parked query.
  void Deliver(std::span<const uint8_t> answer);

  // Makes Serve end soon, for that reason.
  void Close(TcpClose why);

 private:
  using Timer = boost::asio::steady_timer;

  boost::asio::awaitable<void> ReadQueries();
  boost::asio::awaitable<bool> ReadQuery();
  boost::asio::awaitable<void> WriteAnswers();
  boost::asio::awaitable<void> WatchIdleness();
  void Handle(std::span<const uint8_t> query);
  void Enqueue(std::span<const uint8_t> answer);
  void NoteActivity();
  void NoteEnd(TcpClose why) {
    if (!end_) end_ = why;
  }
  bool may_read() const { return parked_ < limits_.max_parked && unsent() <= kMaxUnsentSize; }
  bool drained() const { return parked_ == 0 && unsent() == 0; }
  size_t unsent() const { return queued_.size() + writing_.size(); }

  boost::asio::ip::tcp::socket socket_;
  const IpAddress client_;
  const TcpLimits limits_;
  Responder* const responder_;
  const std::span<uint8_t> scratch_;
  Hooks hooks_;

  // Used as condition variables: they never expire, cancelling wakes who waits.
  Timer progress_;    // parked or unsent have become fewer
  Timer has_answer_;  // queued_ has become more

  Timer idle_;
  std::chrono::steady_clock::time_point last_activity_;
  std::optional<TcpClose> end_;  // the first reason there was
  size_t parked_ = 0;
  std::array<uint8_t, kMaxQuerySize> query_;
  size_t query_size_ = 0;
  std::vector<uint8_t> queued_;   // answers with their length prefixes
  std::vector<uint8_t> writing_;  // those that are on their way
};

}  // namespace perigee::dns
