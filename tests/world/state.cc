#include "tests/world/state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "fmt/format.h"
#include "lib/base/clock.h"
#include "lib/base/parse.h"
#include "tests/world/text.h"

namespace perigee::world {
namespace {

constexpr std::chrono::milliseconds kRetryInterval{10};
constexpr std::string_view kRunningWord = "running ", kCleaningWord = "cleaning ";

std::string PathOf(std::string_view name) { return fmt::format("{}/{}", kStateDirectory, name); }

std::optional<Owner> ParseOwner(std::string_view text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  text = text.substr(0, end);
  const bool running = text.starts_with(kRunningWord);
  if (!running && !text.starts_with(kCleaningWord)) return std::nullopt;
  const auto pid = ParseNumber<uint32_t>(text.substr(running ? kRunningWord.size() : kCleaningWord.size()));
  if (!pid) return std::nullopt;
  return Owner{running ? Activity::kRunning : Activity::kCleaning, static_cast<pid_t>(*pid)};
}

// The holder removes the file before it lets go, so a lock is only worth something on the file that is there.
bool StillThere(int fd) {
  struct stat held {
  }, named{};
  return fstat(fd, &held) == 0 && stat(PathOf("lock").c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

// Open file description locks: unlike flock(), one can ask who holds them without taking them for a moment.
struct flock WholeFile() {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

absl::Status Held() {
  const auto owner = CurrentOwner();
  if (owner && owner->activity == Activity::kCleaning) {
    return absl::AbortedError(fmt::format("process {} is removing a world", owner->pid));
  }
  return absl::UnavailableError(fmt::format(
      "a world is running already (process {}); stop it with: world down", owner ? owner->pid : 0));
}

}  // namespace

absl::StatusOr<StateLock> StateLock::TryAcquire(Activity activity) {
  if (mkdir(kStateDirectory, 0700) != 0 && errno != EEXIST) return ErrnoStatus(kStateDirectory);
  UniqueFd fd(open(PathOf("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid() && errno == ENOENT) return absl::AbortedError("the state has just been removed");
  if (!fd.valid()) return ErrnoStatus(PathOf("lock"));
  struct flock whole = WholeFile();
  if (fcntl(fd.get(), F_OFD_SETLK, &whole) != 0)
    return errno == EAGAIN ? Held() : ErrnoStatus(PathOf("lock"));
  if (!StillThere(fd.get())) return absl::AbortedError("the state has just been removed");
  const std::string owner =
      fmt::format("{}{}\n", activity == Activity::kRunning ? kRunningWord : kCleaningWord, getpid());
  if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), owner.data(), owner.size(), 0) < 0) {
    return ErrnoStatus(PathOf("lock"));
  }
  return StateLock(std::move(fd));
}

absl::StatusOr<StateLock> StateLock::Acquire(Activity activity) {
  const SystemClock clock;
  const MonoTime deadline = clock.Now() + kMaxCleaningTime;
  while (true) {
    auto lock = TryAcquire(activity);
    if (!absl::IsAborted(lock.status())) return lock;
    if (clock.Now() > deadline) return absl::DeadlineExceededError(std::string(lock.status().message()));
    std::this_thread::sleep_for(kRetryInterval);
  }
}

absl::Status StateLock::WriteHosts(const std::vector<std::string>& names) {
  return WriteFile(PathOf("hosts"), fmt::format("{}\n", fmt::join(names, "\n")));
}

absl::Status StateLock::WriteMadeNetnsDirectory() { return WriteFile(PathOf("netns-mount"), ""); }

void StateLock::RemoveState() {
  for (const char* name : {"control.sock", "hosts", "netns-mount", "lock"}) unlink(PathOf(name).c_str());
  rmdir(kStateDirectory);
}

std::optional<Owner> CurrentOwner() {
  const UniqueFd fd(open(PathOf("lock").c_str(), O_RDONLY | O_CLOEXEC));
  struct flock whole = WholeFile();
  if (!fd.valid() || fcntl(fd.get(), F_OFD_GETLK, &whole) != 0 || whole.l_type == F_UNLCK)
    return std::nullopt;
  const auto text = ReadSmallFile(PathOf("lock"));
  if (!text.ok()) return std::nullopt;
  return ParseOwner(*text);
}

bool StateExists() { return access(kStateDirectory, F_OK) == 0; }

std::vector<std::string> StateHosts() {
  const auto text = ReadSmallFile(PathOf("hosts"));
  std::vector<std::string> names;
  if (!text.ok()) return names;
  for (const std::string_view name : Split(*text, '\n')) {
    // A name is a file name below: no slash can take it elsewhere.
    if (!name.empty() && name.find('/') == std::string_view::npos) names.emplace_back(name);
  }
  return names;
}

bool StateMadeNetnsDirectory() { return access(PathOf("netns-mount").c_str(), F_OK) == 0; }

}  // namespace perigee::world
