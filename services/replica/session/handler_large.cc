// The part of Handler that answers with large bodies from SQLite, chunk by chunk.

#include <algorithm>
#include <boost/asio/post.hpp>

#include "lib/log/log.h"
#include "services/replica/cache/large_body.h"
#include "services/replica/session/handler.h"

namespace perigee::replica {

Task<bool> Handler::StoredLarge(std::shared_ptr<const StoredResponse> response, http::CacheStatus status) {
  const WallTime now = context_.clock.WallNow();
  const auto age = http::CurrentAge(response->freshness, now);
  const bool keep = Form().keep_alive;
  out_.clear();
  if (ClientHasIt(response->head, now)) {
    AppendNotModified(response->head, age, status);
    const bool written = co_await client_.Write(Gather(out_));
    if (!written) co_return false;
    co_return keep;
  }
  http::RangeAnswer answer = AnswerRange(*response);
  if (at_.is_head) answer.ranges.clear();
  std::string chunk;
  if (!answer.ranges.empty()) {
    // Before the head, while another answer is possible.
    const absl::Status read =
        response->disk_body->ReadChunk(answer.ranges.front().first / kChunkBytes, &chunk);
    if (!read.ok()) co_return co_await StoredIsLost();
  }
  AppendHead(answer.head, age, Framing::kContentLength, status, Form(), &out_);
  Log(answer.head.status, status);
  const bool began = co_await client_.Write(Gather(out_));
  if (!began) co_return false;
  for (size_t i = 0; i < answer.ranges.size(); ++i) {
    const std::string_view before = answer.around.empty() ? std::string_view() : answer.around[i];
    const bool parted = co_await client_.Write(Gather(before));
    if (!parted) co_return false;
    const http::ByteRange range = answer.ranges[i];
    const bool sent =
        co_await WriteFromDisk(*response->disk_body, range.first, range.last + 1, std::exchange(chunk, {}));
    if (!sent) co_return false;
  }
  if (!answer.ranges.empty() && !answer.around.empty()) {
    const bool ended = co_await client_.Write(Gather(answer.around.back()));
    if (!ended) co_return false;
  }
  co_return keep;
}

Task<bool> Handler::StoredIsLost() {
  if (std::exchange(at_.lost, true)) {
    client_.Abort();
    co_return false;
  }
  at_.found = {};
  co_return co_await Miss();
}

Task<bool> Handler::WriteFromDisk(const DiskBody& body, uint64_t begin, uint64_t end, std::string chunk) {
  FlightMemory& memory = context_.flights.memory();
  while (begin < end) {
    const uint64_t number = begin / kChunkBytes;
    const size_t offset = begin % kChunkBytes;
    const size_t size = std::min<uint64_t>(end - begin, kChunkBytes - offset);
    const absl::Status read = chunk.empty() ? body.ReadChunk(number, &chunk) : absl::OkStatus();
    if (!read.ok() || chunk.size() < offset + size) {
      LogWarning(LogModule::kReplicaCache, {{"target", request().target}},
                 "{}: the stored body ended early: {}", request().target, read.ToString());
      client_.Abort();
      co_return false;
    }
    Gather bytes(std::string_view(chunk).substr(offset, size));
    const uint64_t sent = client_.sent();
    bool failed = false;
    bool written = client_.WriteNow(&bytes, &failed);
    if (!written && !failed && memory.TryReserve(kChunkBytes)) {
      written = co_await client_.Write(bytes);
      failed = !written;
      memory.Release(kChunkBytes);
    } else if (!written && !failed) {
      // Too many wait like this: the chunk is let go, and read again when the client is ready.
      chunk = {};
      const bool ready = co_await client_.AwaitRoom();
      failed = !ready;
    }
    if (failed) co_return false;
    begin += client_.sent() - sent;
    chunk.clear();
    // Others have their turn, however fast this client is.
    co_await asio::post(context_.executor, kAwait);
  }
  co_return true;
}

}  // namespace perigee::replica
