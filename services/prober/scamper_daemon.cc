#include "services/prober/scamper_daemon.h"

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <random>
#include <utility>

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kMostBackoff{10'000};
constexpr milliseconds kConnectRetry{5};
constexpr int kConnectAttempts = 2000;  // 10 s; scamper listens after some 10 ms, or when DNS has failed
constexpr seconds kHangCheck{1};
constexpr int kHangChecks = 3;

}  // namespace

ScamperDaemon::ScamperDaemon(asio::io_context& io, std::string binary, RunFolder folder, OnServing on_serving)
    : io_(io),
      binary_(std::move(binary)),
      folder_(std::move(folder)),
      on_serving_(std::move(on_serving)),
      backoff_(kFirstBackoff, kMostBackoff, std::random_device{}()),
      exit_(io),
      socket_(io),
      timer_(io),
      hang_timer_(io) {}

// Wraps a handler so that it runs only while the run that it belongs to lasts.
template <typename Handler>
auto ScamperDaemon::InThisRun(Handler handler) {
  return [this, run = run_, handler = std::move(handler)](const error_code& error, auto&&... rest) {
    if (run == run_) handler(error, rest...);
  };
}

void ScamperDaemon::Start() { StartProcess(); }

void ScamperDaemon::StartProcess() {
  ++run_;
  failed_ = false;
  auto process = ScamperProcess::Start(binary_, folder_);
  if (!process.ok()) return Fail(process.status());
  process_.emplace(*std::move(process));
  WatchExit();
  Connect(kConnectAttempts);
}

void ScamperDaemon::WatchExit() {
  exit_.assign(dup(process_->exit_fd()));
  exit_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const error_code& error) {
    if (!error) OnExit();
  });
}

void ScamperDaemon::Connect(int attempts_left) {
  if (attempts_left == 0) return Fail(absl::UnavailableError("scamper does not listen on its socket"));
  error_code error;
  socket_.connect({folder_.socket_path()}, error);
  if (!error) {
    session_ = std::make_unique<ScamperSession>();
    Read();
    Flush();
    return WatchForHang(0, 0);
  }
  socket_.close(error);
  timer_.expires_after(kConnectRetry);
  timer_.async_wait(InThisRun([this, attempts_left](const error_code& e) {
    if (!e) Connect(attempts_left - 1);
  }));
}

void ScamperDaemon::Read() {
  socket_.async_read_some(asio::buffer(input_), InThisRun([this](const error_code& error, size_t length) {
                            if (error) return Fail(absl::UnavailableError("scamper closed its socket"));
                            OnBytes(length);
                          }));
}

void ScamperDaemon::OnBytes(size_t length) {
  const Run run = run_;
  const absl::Status status = session_->Receive({input_.data(), length});
  if (run != run_) return;
  if (!status.ok()) return Fail(status);
  if (session_->attached() && !std::exchange(told_serving_, true)) {
    LogInfo(LogModule::kProberScamper, {}, "scamper is ready");
    on_serving_(true);
  }
  Flush();
  Read();
}

void ScamperDaemon::Flush() {
  if (write_under_way_) return;
  writing_ = session_->TakeOutput();
  if (writing_.empty()) return;
  write_under_way_ = true;
  asio::async_write(socket_, asio::buffer(writing_), InThisRun([this](const error_code& error, size_t) {
                      write_under_way_ = false;
                      if (error) return Fail(absl::UnavailableError("scamper closed its socket"));
                      Flush();
                    }));
}

void ScamperDaemon::WatchForHang(uint64_t acknowledged, int idle_checks) {
  if (idle_checks == kHangChecks) {
    return Fail(absl::UnavailableError("scamper has not taken a command for 3 s"));
  }
  hang_timer_.expires_after(kHangCheck);
  hang_timer_.async_wait(InThisRun([this, acknowledged, idle_checks](const error_code& error) {
    if (error) return;
    const bool idle = session_->unacknowledged() > 0 && session_->acknowledged() == acknowledged;
    if (!idle && session_->attached()) backoff_.Reset();
    session_->Ask();
    Flush();
    WatchForHang(session_->acknowledged(), idle ? idle_checks + 1 : 0);
  }));
}

void ScamperDaemon::Fail(const absl::Status& why) {
  if (std::exchange(failed_, true)) return;
  ++run_;
  const std::string reason(why.message());
  LogError(LogModule::kProberScamper, {{"error", reason}}, "{}; restarting it", reason);
  Disconnect(absl::UnavailableError("scamper is not running; it is being restarted"));
  if (process_) {
    process_->RequestEnd();  // OnExit goes on
  } else {
    Restart();
  }
}

void ScamperDaemon::Disconnect(const absl::Status& why) {
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  hang_timer_.cancel();
  write_under_way_ = false;
  if (std::exchange(told_serving_, false)) on_serving_(false);
  if (const auto session = std::exchange(session_, nullptr)) session->Fail(why);
}

void ScamperDaemon::OnExit() {
  const int status = process_->Reap();
  exit_.close();
  process_.reset();
  if (failed_) return Restart();
  Fail(absl::UnavailableError(fmt::format("scamper ended with status {}", status)));
}

void ScamperDaemon::Restart() {
  const milliseconds delay = backoff_.Next();
  LogDebug(LogModule::kProberScamper, {{"delay_ms", delay.count()}}, "scamper starts again in {} ms",
           delay.count());
  timer_.expires_after(delay);
  timer_.async_wait(InThisRun([this](const error_code& error) {
    if (!error) StartProcess();
  }));
}

void ScamperDaemon::Stop() {
  failed_ = true;
  ++run_;
  Disconnect(absl::UnavailableError("the prober is stopping"));
  error_code ignored;
  exit_.close(ignored);
  process_.reset();
}

absl::StatusOr<uint32_t> ScamperDaemon::Ping(const PingCommand& command, PingDone done) {
  if (!serving()) return absl::UnavailableError("scamper is not running; it is being restarted");
  auto ping = session_->Ping(command, std::move(done));
  Flush();
  return ping;
}

void ScamperDaemon::Halt(uint32_t ping) {
  if (session_ == nullptr) return;
  session_->Halt(ping);
  Flush();
}

void ScamperDaemon::Abandon(uint32_t ping) {
  if (session_ == nullptr) return;
  session_->Abandon(ping);
  Flush();
}

}  // namespace perigee
