#include "lib/base/read_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "fmt/format.h"

namespace perigee {
namespace {

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
  std::string text(limit + 1, '\0');  // one more tells a file of the limit from a longer one
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return Error(path, errno);
  if (text.size() > limit)
    return absl::InvalidArgumentError(fmt::format("\"{}\" is larger than {} bytes", path, limit));
  return text;
}

}  // namespace perigee
