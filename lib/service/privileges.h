// Root's privileges are for opening ports. What comes after runs as another user, for good.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace perigee {

struct RunAs {
  std::string user;  // whose supplementary groups are taken too
  uid_t uid = 0;
  gid_t gid = 0;
};

// Looks up the user; an empty `group` is the user's own. InvalidArgument when there is no such user or
// group, or when one of them is root's.
absl::StatusOr<RunAs> FindUser(const std::string& user, const std::string& group);

// Becomes that user completely, and makes sure of it:
//   - real, effective and saved user and group, and the supplementary groups;
//   - no capability in any set, neither now nor after an exec (bounding set where allowed, no_new_privs);
//   - not dumpable by others of the same user: keys and cookie secrets are in memory. What the kernel sets
//     at a change of user (fs.suid_dumpable) stays.
// A process that already runs as that user and group, started by systemd's User= say, loses its capabilities.
//
// Call it while the process has one thread. glibc carries a change of user to every thread, but capabilities
// and no_new_privs belong to a thread alone; threads that are started afterwards inherit them.
// FailedPrecondition when there are more threads; PermissionDenied, saying what to do, when the process may
// not change its user. After any error the process may be half way there: it must end.
absl::Status DropPrivileges(const RunAs& to);

// Both of them, logged; an empty `user` changes nothing.
absl::Status BecomeUser(const std::string& user, const std::string& group);

}  // namespace perigee
