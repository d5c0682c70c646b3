// The bodies in memory that are sent without copying, of middle size: in one file without a name
// (memfd_create(2)), mapped as a whole, whose pages the kernel hands on (sendfile(2)).
//
// A body lies on pages of its own and is never changed. When the last one who has it lets go, its pages leave
// the file, and memory with them once no socket has them in its queue: what comes to lie there next gets new
// ones.
//
// Thread-safe. Bodies may outlive the BodyFile.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "services/replica/cache/body.h"

namespace perigee::replica {

class BodyFile {
 public:
  // Smaller ones are copied by the kernel sooner than it hands on their pages.
  static constexpr size_t kMinBytes = size_t{16} * 1024;
  // Larger ones too: it hands on pages 64 KiB at a time.
  static constexpr size_t kMaxBytes = size_t{128} * 1024;

  // Room for bodies of `bytes` in all, whatever their sizes; memory is taken as they come. When the system
  // has no such file for us, Keep keeps nothing.
  explicit BodyFile(uint64_t bytes);

  // The same bytes in the file; `body` itself when they are too few or too many, or there is no room.
  Body Keep(Body body);

 private:
  class Pages;
  class Place;
  std::shared_ptr<Pages> pages_;  // null: none
};

}  // namespace perigee::replica
