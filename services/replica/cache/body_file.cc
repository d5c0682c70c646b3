#include "services/replica/cache/body_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace perigee::replica {
namespace {

constexpr uint64_t kPageBytes = 4096;
// A place has a power of two of bytes, of which a body may need little more than half, and serves bodies of
// that size only. There are four such sizes from kMinBytes to kMaxBytes.
constexpr uint64_t kRoomFactor = 8;

uint64_t PlaceBytes(size_t bytes) { return std::bit_ceil(std::max<uint64_t>(bytes, kPageBytes)); }

}  // namespace

// The file, and which places in it are free.
class BodyFile::Pages {
 public:
  static std::shared_ptr<Pages> Create(uint64_t bytes) {
    auto pages = std::make_shared<Pages>();
    pages->bytes_ = bytes;
    pages->file_ = memfd_create("perigee-bodies", MFD_CLOEXEC);
    if (pages->file_ < 0 || ftruncate(pages->file_, static_cast<off_t>(bytes)) != 0) return nullptr;
    void* start = mmap(nullptr, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, pages->file_, 0);
    if (start == MAP_FAILED) return nullptr;
    pages->start_ = static_cast<const char*>(start);
    return pages;
  }

  Pages() = default;
  ~Pages() {
    if (start_ != nullptr) munmap(const_cast<char*>(start_), bytes_);
    if (file_ >= 0) close(file_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // kNone when there is no room.
  uint64_t Take(uint64_t place_bytes) {
    const std::lock_guard lock(mutex_);
    auto& free = free_[FreeListOf(place_bytes)];
    if (!free.empty()) {
      const uint64_t offset = free.back();
      free.pop_back();
      return offset;
    }
    if (place_bytes > bytes_ - used_) return kNone;
    return std::exchange(used_, used_ + place_bytes);
  }

  void GiveBack(uint64_t offset, uint64_t place_bytes) {
    const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    // With its pages it can't be used again: they may be in a socket's queue.
    if (fallocate(file_, how, static_cast<off_t>(offset), static_cast<off_t>(place_bytes)) != 0) return;
    const std::lock_guard lock(mutex_);
    free_[FreeListOf(place_bytes)].push_back(offset);
  }

  bool Write(std::string_view bytes, uint64_t offset) const {
    while (!bytes.empty()) {
      const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    }
    return true;
  }

  int file() const { return file_; }
  const char* start() const { return start_; }

  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

 private:
  static size_t FreeListOf(uint64_t place_bytes) {
    return static_cast<size_t>(std::countr_zero(place_bytes));
  }

  int file_ = -1;
  const char* start_ = nullptr;
  uint64_t bytes_ = 0;

  std::mutex mutex_;
  uint64_t used_ = 0;  // all places are below
  std::array<std::vector<uint64_t>, 64> free_;
};

// One body's pages, given back at its end.
class BodyFile::Place {
 public:
  Place(std::shared_ptr<Pages> pages, uint64_t offset, uint64_t bytes)
      : pages_(std::move(pages)), offset_(offset), bytes_(bytes) {}
  ~Place() { pages_->GiveBack(offset_, bytes_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::shared_ptr<Pages> pages_;
  uint64_t offset_, bytes_;
};

BodyFile::BodyFile(uint64_t bytes) {
  constexpr uint64_t kMost = std::numeric_limits<off_t>::max() / kRoomFactor;
  pages_ = Pages::Create(kRoomFactor * std::clamp(bytes, kPageBytes, kMost));
}

Body BodyFile::Keep(Body body) {
  if (!pages_ || body->size() < kMinBytes || body->size() >= kMaxBytes) return body;
  const uint64_t place_bytes = PlaceBytes(body->size());
  const uint64_t offset = pages_->Take(place_bytes);
  if (offset == Pages::kNone) return body;
  auto place = std::make_shared<const Place>(pages_, offset, place_bytes);
  if (!pages_->Write(*body, offset)) return body;
  Body kept(std::move(place), {pages_->start() + offset, body->size()});
  kept.file_ = pages_->file();
  kept.file_start_ = pages_->start();
  return kept;
}

}  // namespace perigee::replica
