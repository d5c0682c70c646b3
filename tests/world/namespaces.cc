#include "tests/world/namespaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "lib/base/parse.h"

namespace perigee::world {
namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";
constexpr int kMaxStackedMounts = 8;

std::string NetnsDirectory() { return std::string(kNetnsDirectory); }

}  // namespace

std::string NamespaceName(std::string_view host) { return fmt::format("{}{}", kNamespacePrefix, host); }

std::string NamespacePath(std::string_view host) {
  return fmt::format("{}/{}", kNetnsDirectory, NamespaceName(host));
}

absl::StatusOr<bool> EnsureNetnsDirectory() {
  const std::string directory = NetnsDirectory();
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus(directory);
  // Shared, as `ip netns` does it, so that a namespace unmounted here goes away in every mount namespace.
  if (mount("", directory.c_str(), "none", MS_SHARED | MS_REC, nullptr) == 0) return false;
  if (errno != EINVAL) return ErrnoStatus(fmt::format("sharing {}", directory));
  if (mount(directory.c_str(), directory.c_str(), "none", MS_BIND | MS_REC, nullptr) != 0 ||
      mount("", directory.c_str(), "none", MS_SHARED | MS_REC, nullptr) != 0) {
    return ErrnoStatus(fmt::format("mounting {}", directory));
  }
  return true;
}

void RemoveNetnsDirectoryIfEmpty() {
  const std::string directory = NetnsDirectory();
  // Both calls refuse by themselves when something is left: busy, not empty.
  umount2(directory.c_str(), UMOUNT_NOFOLLOW);
  rmdir(directory.c_str());
}

absl::Status CheckNoNamespaces(const std::vector<std::string>& hosts) {
  for (const std::string& host : hosts) {
    if (access(NamespacePath(host).c_str(), F_OK) != 0) continue;
    return absl::AlreadyExistsError(
        fmt::format("there is a namespace {0} that no world made; remove it with: ip netns delete {0}",
                    NamespaceName(host)));
  }
  return absl::OkStatus();
}

absl::Status CreateNamespaceAndEnter(std::string_view host) {
  const std::string path = NamespacePath(host);
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
  if (!file.valid()) return ErrnoStatus(path);
  if (unshare(CLONE_NEWNET) != 0) return ErrnoStatus("making a network namespace");
  if (mount(kOwnNetns, path.c_str(), "none", MS_BIND, nullptr) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

absl::Status EnterNamespace(std::string_view host) {
  const std::string path = NamespacePath(host);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(path);
  if (setns(fd.get(), CLONE_NEWNET) != 0) return ErrnoStatus(fmt::format("entering {}", path));
  return absl::OkStatus();
}

absl::Status RemoveNamespace(std::string_view host) {
  const std::string path = NamespacePath(host);
  for (int i = 0; i < kMaxStackedMounts && umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0; ++i) {
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(path);
  std::error_code ignored;
  std::filesystem::remove_all(fmt::format("/etc/netns/{}", NamespaceName(host)), ignored);
  return absl::OkStatus();
}

absl::StatusOr<NamespaceScope> NamespaceScope::Here() {
  UniqueFd home(open(kOwnNetns, O_RDONLY | O_CLOEXEC));
  if (!home.valid()) return ErrnoStatus(kOwnNetns);
  return NamespaceScope(std::move(home));
}

NamespaceScope::~NamespaceScope() {
  if (home_.valid()) setns(home_.get(), CLONE_NEWNET);
}

std::vector<pid_t> ProcessesIn(const std::vector<std::string>& hosts) {
  std::set<std::pair<dev_t, ino_t>> namespaces;
  struct stat own {};
  stat(kOwnNetns, &own);
  for (const std::string& host : hosts) {
    struct stat status {};
    // A file on which nothing is mounted any more is on another device than every namespace.
    if (stat(NamespacePath(host).c_str(), &status) == 0 && status.st_dev == own.st_dev) {
      namespaces.emplace(status.st_dev, status.st_ino);
    }
  }
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (!proc || namespaces.empty()) return pids;
  while (const dirent* entry = readdir(proc.get())) {
    const auto pid = ParseNumber<uint32_t>(entry->d_name);
    struct stat status {};
    if (!pid || stat(fmt::format("/proc/{}/ns/net", *pid).c_str(), &status) != 0) continue;
    if (namespaces.contains({status.st_dev, status.st_ino})) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

}  // namespace perigee::world
