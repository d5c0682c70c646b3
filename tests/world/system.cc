#include "tests/world/system.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace perigee::world {

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

absl::Status ErrnoStatus(std::string_view what) {
  const int error = errno;
  const std::string message = fmt::format("{}: {}", what, std::strerror(error));
  if (error == EPERM || error == EACCES) return absl::PermissionDeniedError(message);
  if (error == ENOENT) return absl::NotFoundError(message);
  return absl::InternalError(message);
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(path);
  std::string content;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = read(fd.get(), buffer, sizeof buffer)) > 0) {
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > kMaxSmallFile) return absl::OutOfRangeError(fmt::format("{} is too large", path));
  }
  if (n < 0) return ErrnoStatus(path);
  return content;
}

absl::Status WriteFile(const std::string& path, std::string_view content) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return ErrnoStatus(path);
  if (write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return ErrnoStatus(path);
  }
  return absl::OkStatus();
}

}  // namespace perigee::world
