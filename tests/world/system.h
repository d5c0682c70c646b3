// Small things around system calls: an owned file descriptor, errno as a Status, and whole-file I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace perigee::world {

// Closes what it holds.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    UniqueFd old(std::exchange(fd_, std::exchange(other.fd_, -1)));
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// "what: strerror" of the current errno; PermissionDenied for EPERM and EACCES, NotFound for ENOENT, else
// Internal.
absl::Status ErrnoStatus(std::string_view what);

inline constexpr size_t kMaxSmallFile = 1u << 20;

// At most kMaxSmallFile bytes.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);
// Replaces the file's content (not atomically). A sysctl is such a file.
absl::Status WriteFile(const std::string& path, std::string_view content);

}  // namespace perigee::world
