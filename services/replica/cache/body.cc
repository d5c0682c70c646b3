#include "services/replica/cache/body.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace perigee::replica {
namespace {

// Unmapped and closed at its end.
class MappedFile {
 public:
  // Null when the system, or kMaxFiles, allows no more.
  static std::shared_ptr<const MappedFile> Create(size_t size) {
    auto file = std::make_shared<MappedFile>();
    if (file->before_ >= Body::kMaxFiles) return nullptr;
    file->descriptor_ = memfd_create("perigee-body", MFD_CLOEXEC);
    if (file->descriptor_ < 0 || ftruncate(file->descriptor_, static_cast<off_t>(size)) != 0) return nullptr;
    void* bytes =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file->descriptor_, 0);
    if (bytes == MAP_FAILED) return nullptr;
    file->bytes_ = static_cast<char*>(bytes);
    file->size_ = size;
    return file;
  }

  MappedFile() : before_(files.fetch_add(1, std::memory_order_relaxed)) {}
  ~MappedFile() {
    if (bytes_ != nullptr) munmap(bytes_, size_);
    if (descriptor_ >= 0) close(descriptor_);
    files.fetch_sub(1, std::memory_order_relaxed);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  char* bytes() const { return bytes_; }
  int descriptor() const { return descriptor_; }

 private:
  static std::atomic<int> files;

  int before_;
  int descriptor_ = -1;
  char* bytes_ = nullptr;
  size_t size_ = 0;
};

std::atomic<int> MappedFile::files{0};

}  // namespace

Body::Body(std::shared_ptr<const std::string> bytes) {
  if (bytes->size() >= kMinFileBytes) {
    Draft draft = Make(bytes->size());
    std::memcpy(draft.bytes, bytes->data(), bytes->size());
    *this = std::move(draft.body);
    return;
  }
  view_ = *bytes;
  owner_ = std::move(bytes);
}

Body::Draft Body::Make(size_t size, size_t slack) {
  if (size >= kMinFileBytes) {
    if (auto file = MappedFile::Create(size + slack)) {
      char* bytes = file->bytes();
      const int descriptor = file->descriptor();
      return {bytes, Body(std::move(file), {bytes, size}, descriptor)};
    }
  }
  const auto memory = std::make_shared_for_overwrite<char[]>(size + slack);
  return {memory.get(), Body(memory, {memory.get(), size}, -1)};
}

}  // namespace perigee::replica
