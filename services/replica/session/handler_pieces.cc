// The part of Handler that answers with bodies that are in pieces: large ones from SQLite, chunk by chunk,
// and those of which parts are stored.

#include <algorithm>
#include <boost/asio/post.hpp>

#include "lib/http_semantics/parts.h"
#include "lib/log/log.h"
#include "services/replica/cache/large_body.h"
#include "services/replica/session/handler.h"

namespace perigee::replica {
namespace {

std::vector<http::ByteRange> RangesOf(const StoredParts& stored) {
  std::vector<http::ByteRange> ranges;
  for (const StoredParts::Part& part : stored.parts) ranges.push_back(part.range);
  return ranges;
}

}  // namespace

bool Handler::ReadBeginning(const Piece& piece, std::string* chunk) {
  return piece.of.body || piece.of.disk_body->ReadChunk(piece.begin / kChunkBytes, chunk).ok();
}

bool Handler::AnyFromDisk(const std::vector<std::vector<Piece>>& pieces) {
  return std::any_of(pieces.begin(), pieces.end(), [](const auto& of_range) {
    return std::any_of(of_range.begin(), of_range.end(),
                       [](const Piece& piece) { return piece.of.lookup == Lookup::kDisk; });
  });
}

bool Handler::Suffices(const StoredResponse& in_parts) const {
  const WallTime now = context_.clock.WallNow();
  if (at_.is_head || ClientHasIt(in_parts.head, now)) return true;
  http::RangePlan plan =
      http::PlanRange(request().method, request().headers, in_parts.head, in_parts.body_bytes, now);
  if (plan.answer == http::RangePlan::Answer::kUnsatisfiable) return true;
  if (plan.answer == http::RangePlan::Answer::kWhole) plan.ranges = {{0, in_parts.body_bytes - 1}};
  const std::vector<http::ByteRange> parts = RangesOf(*in_parts.parts);
  size_t pieces = 0;
  for (const http::ByteRange range : plan.ranges) {
    const auto slices = http::Cover(parts, range);
    if (!slices) return false;
    pieces += slices->size();
  }
  return pieces <= kMaxPartsPerAnswer;
}

std::optional<std::vector<Handler::Piece>> Handler::PiecesOf(const StoredResponse& response,
                                                             http::ByteRange range) {
  std::vector<Piece> pieces;
  if (!response.parts) {
    pieces.push_back({{at_.found.lookup, {}, response.disk_body}, range.first, range.last + 1});
    return pieces;
  }
  const auto slices = http::Cover(RangesOf(*response.parts), range);
  if (!slices) return std::nullopt;
  for (const http::Slice& slice : *slices) {
    const StoredParts::Part& part = response.parts->parts[slice.part];
    PartBody body = context_.cache.FindPart(part.object_id);
    if (body.lookup == Lookup::kUriMiss) return std::nullopt;
    const uint64_t begin = slice.range.first - part.range.first;
    pieces.push_back({std::move(body), begin, begin + slice.range.size()});
  }
  return pieces;
}

Task<bool> Handler::StoredInPieces(std::shared_ptr<const StoredResponse> response, http::CacheStatus status) {
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
  // Before the head, while another answer is possible.
  std::vector<std::vector<Piece>> pieces;
  for (const http::ByteRange range : answer.ranges) {
    auto found = PiecesOf(*response, range);
    if (!found) co_return co_await StoredIsLost();
    pieces.push_back(*std::move(found));
  }
  std::string chunk;
  if (!pieces.empty() && !ReadBeginning(pieces.front().front(), &chunk)) co_return co_await StoredIsLost();
  if (status.forward == http::Forward::kNone && AnyFromDisk(pieces)) status.detail = Name(Lookup::kDisk);
  AppendHead(answer.head, age, Framing::kContentLength, status, Form(), &out_);
  Log(answer.head.status, status);
  const bool began = co_await client_.Write(Gather(out_));
  if (!began) co_return false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view before = answer.around.empty() ? std::string_view() : answer.around[i];
    const bool parted = co_await client_.Write(Gather(before));
    if (!parted) co_return false;
    const bool sent = co_await WritePieces(pieces[i], std::exchange(chunk, {}));
    if (!sent) co_return false;
  }
  if (!pieces.empty() && !answer.around.empty()) {
    const bool ended = co_await client_.Write(Gather(answer.around.back()));
    if (!ended) co_return false;
  }
  co_return keep;
}

Task<bool> Handler::WritePieces(const std::vector<Piece>& pieces, std::string chunk) {
  for (const Piece& piece : pieces) {
    const Body& body = piece.of.body;
    if (!body) {
      const bool sent =
          co_await WriteFromDisk(*piece.of.disk_body, piece.begin, piece.end, std::exchange(chunk, {}));
      if (!sent) co_return false;
      continue;
    }
    const bool written = co_await client_.Write(Bytes({}, body, piece.begin, piece.end));
    if (!written) co_return false;
  }
  co_return true;
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
