// Reads of a mapped database that fail.
//
// SQLite reads a mapped file (PRAGMA mmap_size) as memory. Where the disk fails, or somebody has made the
// file shorter, such a read ends the process by SIGBUS. Under a BusGuard its thread reads zeros there
// instead: for those who verify what they read. SQLite takes zeros for damage where it expects a page of a
// tree.
#pragma once

#include <cstdint>

namespace perigee::sqlite {

// For its thread, as long as it lives; one may live within another. A page that was read as zeros remains so
// until its mapping goes, so who finds damage has to close the Database.
class BusGuard {
 public:
  BusGuard();
  ~BusGuard();
  BusGuard(const BusGuard&) = delete;
  BusGuard& operator=(const BusGuard&) = delete;

  // How many pages became zeros, in the whole process.
  static uint64_t failed_pages();
};

}  // namespace perigee::sqlite
