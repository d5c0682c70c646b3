#include "lib/service/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "lib/log/log.h"

namespace perigee {
namespace {

constexpr size_t kMaxEntrySize = 1 << 20;  // octets of a user's or group's entry, its members' names included

// Of the user or group database; `lookup` is getpwnam_r or getgrnam_r.
template <typename Entry, typename Lookup>
absl::StatusOr<Entry> FindEntry(Lookup lookup, std::string_view kind, const std::string& name,
                                std::vector<char>& buffer) {
  Entry entry{};
  Entry* found = nullptr;
  int error = ERANGE;
  for (size_t size = 1024; error == ERANGE && size <= kMaxEntrySize; size *= 2) {
    buffer.resize(size);
    error = lookup(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  }
  if (found != nullptr) return entry;
  const std::string why = error == 0 ? "" : fmt::format(": {}", std::strerror(error));
  return absl::InvalidArgumentError(fmt::format("--{0}: no {0} \"{1}\"{2}", kind, name, why));
}

absl::Status Failure(std::string_view call) {
  return absl::PermissionDeniedError(
      fmt::format("can't drop privileges: {}: {}", call, std::strerror(errno)));
}

size_t CountThreads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return error ? 1 : static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

bool IsAlready(const RunAs& to) {
  return getuid() == to.uid && geteuid() == to.uid && getgid() == to.gid && getegid() == to.gid;
}

absl::Status ChangeUser(const RunAs& to) {
  if (IsAlready(to)) return absl::OkStatus();
  if (geteuid() != 0) {
    return absl::PermissionDeniedError(
        fmt::format("can't become user {}: start as root for --user, or as that user without it", to.user));
  }
  // Groups first: they need what goes with the user.
  if (initgroups(to.user.c_str(), to.gid) != 0) return Failure("initgroups");
  if (setresgid(to.gid, to.gid, to.gid) != 0) return Failure("setresgid");
  if (setresuid(to.uid, to.uid, to.uid) != 0) return Failure("setresuid");
  return absl::OkStatus();
}

// With no_new_privs nothing could be taken from it any more: it is emptied for those who look, if that is
// allowed (CAP_SETPCAP).
void EmptyBoundingSet() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

using CapabilityData = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

absl::Status ClearCapabilities() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return Failure("PR_CAP_AMBIENT");
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const CapabilityData none{};
  if (syscall(SYS_capset, &header, none.data()) != 0) return Failure("capset");
  return absl::OkStatus();
}

bool HasCapabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  CapabilityData data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return true;
  for (const auto& word : data)
    if ((word.effective | word.permitted | word.inheritable) != 0) return true;
  return false;
}

bool HasIds(const RunAs& to) {
  uid_t uid = 0, effective_uid = 0, saved_uid = 0;
  gid_t gid = 0, effective_gid = 0, saved_gid = 0;
  return getresuid(&uid, &effective_uid, &saved_uid) == 0 &&
         getresgid(&gid, &effective_gid, &saved_gid) == 0 && uid == to.uid && effective_uid == to.uid &&
         saved_uid == to.uid && gid == to.gid && effective_gid == to.gid && saved_gid == to.gid;
}

absl::Status Verify(const RunAs& to) {
  if (!HasIds(to)) return absl::InternalError("can't drop privileges: the ids are not as they were set");
  if (HasCapabilities()) return absl::InternalError("can't drop privileges: some capabilities are left");
  if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setresgid(0, 0, 0) == 0)
    return absl::InternalError("can't drop privileges: root could be regained");
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
    return absl::InternalError("can't drop privileges: no_new_privs is not set");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunAs> FindUser(const std::string& user, const std::string& group) {
  std::vector<char> buffer;
  const auto found = FindEntry<passwd>(getpwnam_r, "user", user, buffer);
  if (!found.ok()) return found.status();
  RunAs as{.user = user, .uid = found->pw_uid, .gid = found->pw_gid};
  if (!group.empty()) {
    const auto other = FindEntry<::group>(getgrnam_r, "group", group, buffer);
    if (!other.ok()) return other.status();
    as.gid = other->gr_gid;
  }
  if (as.uid == 0) return absl::InvalidArgumentError("--user: root is who should not be run as");
  if (as.gid == 0)
    return absl::InvalidArgumentError(fmt::format("--user {}: name another group than root's", user));
  return as;
}

absl::Status DropPrivileges(const RunAs& to) {
  if (const size_t threads = CountThreads(); threads > 1) {
    return absl::FailedPreconditionError(
        fmt::format("can't drop privileges: {} threads run already", threads));
  }
  EmptyBoundingSet();
  if (absl::Status status = ChangeUser(to); !status.ok()) return status;
  if (absl::Status status = ClearCapabilities(); !status.ok()) return status;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failure("PR_SET_NO_NEW_PRIVS");
  // After a change of user it is what fs.suid_dumpable says; 2 lets root's core handler work.
  if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return Failure("PR_SET_DUMPABLE");
  return Verify(to);
}

absl::Status BecomeUser(const std::string& user, const std::string& group) {
  if (user.empty()) return absl::OkStatus();
  const auto as = FindUser(user, group);
  if (!as.ok()) return as.status();
  if (absl::Status status = DropPrivileges(*as); !status.ok()) return status;
  LogInfo(LogModule::kService, {{"user", user}}, "running as user {}", user);
  return absl::OkStatus();
}

}  // namespace perigee
