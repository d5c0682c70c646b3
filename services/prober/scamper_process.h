// The scamper process: started without a shell, ended with us whatever way we end.
//
// PR_SET_PDEATHSIG does not do here: the kernel clears it when scamper gives up root. So scamper is the child
// of a watchdog, a fork of ours that holds the other end of a socket pair. At a word from us it ends scamper;
// when the pair breaks without one, for we have died, it removes the socket's folder too. The watchdog ends
// when scamper does, which is how scamper's death is noticed.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace perigee {

// An open file descriptor, closed at the end of its life.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// The path of `program`: itself when it has a slash, else the first match on PATH. NotFound says what to do.
absl::StatusOr<std::string> FindScamper(const std::string& program);

// A folder that only we can enter, for scamper's socket. Removed with what is in it.
class RunFolder {
 public:
  static absl::StatusOr<RunFolder> Make();
  RunFolder(RunFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~RunFolder();
  const std::string& path() const { return path_; }
  std::string socket_path() const { return path_ + "/scamper"; }

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class ScamperProcess {
 public:
  // Starts `binary`, listening on the folder's socket soon. Errors: Internal when the kernel gives no
  // process. Whether `binary` can run at all shows in its exit status.
  static absl::StatusOr<ScamperProcess> Start(const std::string& binary, const RunFolder& folder);
  ScamperProcess(ScamperProcess&&) = default;
  // Ends scamper and waits for that, for kStopPatience at the most.
  ~ScamperProcess();

  // Readable once scamper has ended.
  int exit_fd() const { return pidfd_.get(); }
  // Asks the watchdog to end scamper; does not wait.
  void RequestEnd();
  // Waits for the end (see exit_fd()) and returns scamper's exit status, 128 + signal, or 127 when it could
  // not be executed.
  int Reap();

 private:
  ScamperProcess(UniqueFd lifeline, UniqueFd pidfd, pid_t watchdog)
      : lifeline_(std::move(lifeline)), pidfd_(std::move(pidfd)), watchdog_(watchdog) {}
  UniqueFd lifeline_;
  UniqueFd pidfd_;
  pid_t watchdog_ = -1;
};

}  // namespace perigee
