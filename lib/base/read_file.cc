#include "lib/base/read_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "fmt/format.h"

namespace perigee {
namespace {

constexpr size_t kFirstRead =
    size_t{16} * 1024;  // doubled as the file goes on: limits are far above most files

absl::Status Error(const std::string& path, int error) {
  if (error == ENOENT) return absl::NotFoundError(fmt::format("\"{}\": there is no such file", path));
  if (error == EISDIR)
    return absl::InvalidArgumentError(fmt::format("\"{}\" is a directory: name a file", path));
  return absl::UnavailableError(
      fmt::format("can't read \"{}\": {}", path, std::generic_category().message(error)));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr) return Error(path, errno);
  std::string text;
  for (size_t got = 1; got > 0 && text.size() <= limit;) {
    const size_t before = text.size();
    text.resize(std::min(limit + 1, before + std::max(before, kFirstRead)));  // one more tells a longer file
    got = std::fread(text.data() + before, 1, text.size() - before, file.get());
    text.resize(before + got);
  }
  if (std::ferror(file.get()) != 0) return Error(path, errno);
  if (text.size() > limit)
    return absl::InvalidArgumentError(fmt::format("\"{}\" is larger than {} bytes", path, limit));
  return text;
}

}  // namespace perigee
