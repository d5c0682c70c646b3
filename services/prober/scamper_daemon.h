// scamper as something that can be asked for pings: keeps one process running, and many pings under way in
// it.
//
// When scamper ends or hangs, every pending ping fails with Unavailable at once, `on_serving(false)` is
// called, and scamper is started anew after a back-off of 100 ms to 10 s; `on_serving(true)` once it takes
// commands. It is asked for a sign of life each second, so that a hang shows within 4 s though nobody
// measures.
//
// Not thread-safe: everything happens on the thread that runs `io`.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "services/prober/backoff.h"
#include "services/prober/scamper_process.h"
#include "services/prober/scamper_session.h"

namespace perigee {

class ScamperDaemon {
 public:
  using OnServing = std::function<void(bool)>;

  // `binary` is a path (FindScamper). Nothing starts before Start().
  ScamperDaemon(boost::asio::io_context& io, std::string binary, RunFolder folder, OnServing on_serving);

  void Start();
  // Ends scamper and waits for that; pending pings fail with Unavailable.
  void Stop();

  bool serving() const { return session_ != nullptr && session_->attached(); }

  // See ScamperSession. Unavailable while scamper is not running.
  absl::StatusOr<uint32_t> Ping(const PingCommand& command, PingDone done);
  void Halt(uint32_t ping);
  void Abandon(uint32_t ping);

 private:
  // Handlers of an earlier run of scamper find that the number has moved on.
  using Run = uint64_t;

  void StartProcess();
  void WatchExit();
  void Connect(int attempts_left);
  void Read();
  void OnBytes(size_t length);
  void Flush();
  void WatchForHang(uint64_t acknowledged, int idle_checks);
  void OnExit();
  // The end of one run: pings fail, and the next run is planned for when the process has ended.
  void Fail(const absl::Status& why);
  void Disconnect(const absl::Status& why);
  void Restart();
  template <typename Handler>
  auto InThisRun(Handler handler);

  boost::asio::io_context& io_;
  const std::string binary_;
  const RunFolder folder_;
  const OnServing on_serving_;
  Backoff backoff_;

  Run run_ = 0;
  std::optional<ScamperProcess> process_;
  boost::asio::posix::stream_descriptor exit_;
  boost::asio::local::stream_protocol::socket socket_;
  std::unique_ptr<ScamperSession> session_;
  boost::asio::steady_timer timer_;  // connecting, then restarting
  boost::asio::steady_timer hang_timer_;
  std::array<char, 16'384> input_;
  std::string writing_;
  bool write_under_way_ = false;
  bool told_serving_ = false;
  bool failed_ = false;  // this run has ended, and the next is planned
};

}  // namespace perigee
