#include "lib/log_file/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

constexpr size_t kBatchSize = size_t{64} * 1024;  // octets gathered for one write

absl::StatusOr<int> OpenLog(const LogFileOptions& options) {
  // O_NONBLOCK is for pipes: neither their opening nor a full one may hold up the rings.
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
  const int fd = open(options.path.c_str(), flags, LogFile::kFileMode);
  if (fd >= 0) return fd;
  const std::string text =
      fmt::format("cannot open the {} {}: {}", options.what, options.path, std::strerror(errno));
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

class LogFile::Writer {
 public:
  Writer(LogFileOptions options, int fd)
      : options_(std::move(options)), fd_(fd), thread_([this] { Run(); }) {}

  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_one();
    thread_.join();
    close(fd_);
  }

  LogRing& NewRing() {
    const std::lock_guard lock(mutex_);
    return *rings_.emplace_back(std::make_unique<LogRing>(options_.ring_size));
  }

  absl::Status Reopen() {
    const auto fd = OpenLog(options_);
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
    for (const auto& ring : rings_) lost += ring->lost();
    return lost;
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, options_.flush_interval, [this] { return stopping_; })) Drain();
    Drain();
  }

  void Drain() {
    for (const auto& ring : rings_) {
      ring->Drain([this](std::string_view record) {
        options_.format(record, &batch_);
        if (batch_.size() >= kBatchSize) WriteBatch();
      });
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
    LogError(LogModule::kLogFile, {{"path", options_.path}, {"lost", unwritten_}},
             "cannot write the {} {}: {}; {} lines are lost so far", options_.what, options_.path,
             std::strerror(error), unwritten_);
  }

  const LogFileOptions options_;
  mutable std::mutex mutex_;  // of all that follows, but for written_
  std::condition_variable stop_;
  bool stopping_ = false;
  int fd_;
  bool torn_ = false;  // the file ends within a line
  std::list<std::unique_ptr<LogRing>> rings_;
  std::string batch_;
  std::optional<MonoTime> complained_;
  uint64_t unwritten_ = 0;
  std::atomic<uint64_t> written_{0};
  std::thread thread_;  // last, for it uses the others
};

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(LogFileOptions options) {
  const auto fd = OpenLog(options);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<LogFile>(new LogFile(std::make_unique<Writer>(std::move(options), *fd)));
}

LogFile::LogFile(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
LogFile::~LogFile() = default;

LogRing& LogFile::NewRing() { return writer_->NewRing(); }
absl::Status LogFile::Reopen() { return writer_->Reopen(); }
uint64_t LogFile::written() const { return writer_->written(); }
uint64_t LogFile::lost() const { return writer_->lost(); }

}  // namespace perigee
