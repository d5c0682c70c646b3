#include "services/dns/telemetry/decision_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace perigee::dns {
namespace {

constexpr size_t kBatchSize = size_t{64} * 1024;  // octets gathered for one write

absl::StatusOr<int> OpenLog(const std::string& path) {
  // O_NONBLOCK is for pipes: neither their opening nor a full one may hold up the rings.
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
  const int fd = open(path.c_str(), flags, DecisionLog::kFileMode);
  if (fd >= 0) return fd;
  const std::string text = fmt::format("cannot open the decision log {}: {}", path, std::strerror(errno));
  return absl::FailedPreconditionError(text);
}

// How many octets went out before it failed, if it did; errno then says why.
size_t WriteSome(int fd, std::string_view data) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = write(fd, data.data() + done, data.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

}  // namespace

class DecisionLog::Writer {
 public:
  Writer(std::string path, int fd) : path_(std::move(path)), fd_(fd), thread_([this] { Run(); }) {}

  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_one();
    thread_.join();
    close(fd_);
  }

  Ring& NewRing() {
    const std::lock_guard lock(mutex_);
    return *rings_.emplace_back(std::make_unique<Ring>());
  }

  absl::Status Reopen() {
    const auto fd = OpenLog(path_);
    if (!fd.ok()) return fd.status();
    const std::lock_guard lock(mutex_);
    Drain();
    close(std::exchange(fd_, *fd));
    torn_ = false;
    return absl::OkStatus();
  }

  uint64_t written() const { return written_.load(std::memory_order_relaxed); }

  uint64_t lost() const {
    const std::lock_guard lock(mutex_);
    uint64_t lost = unwritten_;
    for (const auto& ring : rings_) lost += ring->lost_.load(std::memory_order_relaxed);
    return lost;
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, kFlushInterval, [this] { return stopping_; })) Drain();
    Drain();
  }

  void Drain() {
    for (const auto& ring : rings_) {
      // What is pushed from here on waits for the next round, so that a busy worker cannot keep us here.
      const uint64_t end = ring->written_.load(std::memory_order_acquire);
      uint64_t next = ring->read_.load(std::memory_order_relaxed);
      while (next < end) {
        batch_ += FormatDecision((*ring->slots_)[next % kRingSize]);
        ring->read_.store(++next, std::memory_order_release);
        if (batch_.size() >= kBatchSize) WriteBatch();
      }
    }
    if (!batch_.empty()) WriteBatch();
  }

  void WriteBatch() {
    // A line that a full disk cut must not swallow the next one.
    if (torn_) batch_.insert(0, 1, '\n');
    const std::string_view batch = batch_;
    const size_t done = WriteSome(fd_, batch);
    const int error = errno;
    const std::string_view out = batch.substr(0, done), left = batch.substr(done);
    const auto whole = std::count(out.begin(), out.end(), '\n') - (torn_ && done > 0 ? 1 : 0);
    const auto lines = std::count(batch.begin(), batch.end(), '\n') - (torn_ ? 1 : 0);
    written_.fetch_add(static_cast<uint64_t>(whole), std::memory_order_relaxed);
    unwritten_ += static_cast<uint64_t>(lines - whole);
    if (done > 0) torn_ = out.back() != '\n';
    if (!left.empty()) Complain(error);
    batch_.clear();
  }

  void Complain(int error) {
    const MonoTime now = std::chrono::steady_clock::now();
    if (complained_ && now - *complained_ < kComplaintInterval) return;
    complained_ = now;
    spdlog::error("cannot write the decision log {}: {}; {} decisions are lost so far", path_,
                  std::strerror(error), unwritten_);
  }

  const std::string path_;
  mutable std::mutex mutex_;  // of all that follows, but for written_
  std::condition_variable stop_;
  bool stopping_ = false;
  int fd_;
  bool torn_ = false;  // the file ends within a line
  std::list<std::unique_ptr<Ring>> rings_;
  std::string batch_;
  std::optional<MonoTime> complained_;
  uint64_t unwritten_ = 0;
  std::atomic<uint64_t> written_{0};
  std::thread thread_;  // last, for it uses the others
};

absl::StatusOr<std::unique_ptr<DecisionLog>> DecisionLog::Open(const std::string& path) {
  const auto fd = OpenLog(path);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<DecisionLog>(new DecisionLog(std::make_unique<Writer>(path, *fd)));
}

DecisionLog::DecisionLog(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
DecisionLog::~DecisionLog() = default;

DecisionLog::Ring& DecisionLog::NewRing() { return writer_->NewRing(); }
absl::Status DecisionLog::Reopen() { return writer_->Reopen(); }
uint64_t DecisionLog::written() const { return writer_->written(); }
uint64_t DecisionLog::lost() const { return writer_->lost(); }

bool DecisionLog::Ring::Push(const DecisionRecord& record) {
  const uint64_t at = written_.load(std::memory_order_relaxed);
  if (at - read_.load(std::memory_order_acquire) >= kRingSize) {
    lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return false;
  }
  (*slots_)[at % kRingSize] = record;
  written_.store(at + 1, std::memory_order_release);
  return true;
}

}  // namespace perigee::dns
