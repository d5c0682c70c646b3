#include "services/replica/cache/large_body.h"

#include <algorithm>
#include <utility>

#include "services/replica/cache/cache_impl.h"

namespace perigee::replica {

DiskBody::~DiskBody() { cache_.Unpin(id_); }

absl::Status DiskBody::ReadChunk(uint64_t number, std::string* out) const {
  return cache_.ReadChunk(id_, number, out);
}

BodyWriter::BodyWriter(Cache::Impl& cache, std::shared_ptr<Upload> upload)
    : cache_(cache), upload_(std::move(upload)) {}

BodyWriter::~BodyWriter() {
  {
    const std::lock_guard lock(upload_->progress_mutex);
    upload_->progress = nullptr;
  }
  cache_.Abandon(*upload_);
}

bool BodyWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t step = std::min(bytes.size(), kChunkBytes - chunk_.size());
    chunk_.append(bytes.substr(0, step));
    bytes.remove_prefix(step);
    if (chunk_.size() == kChunkBytes && !Flush()) return false;
  }
  return true;
}

bool BodyWriter::End() { return chunk_.empty() || Flush(); }

bool BodyWriter::Flush() {
  return cache_.AddChunk(*upload_, {upload_->id, next_chunk_++, std::exchange(chunk_, {})});
}

std::shared_ptr<const DiskBody> BodyWriter::body() const { return cache_.BodyOf(*upload_); }

InsertResult BodyWriter::Finish(std::string_view key, const http::HeaderList& request,
                                http::ResponseHead head, uint64_t asked_at) {
  return cache_.Insert(key, request, {.head = std::move(head)}, asked_at, upload_.get());
}

}  // namespace perigee::replica
