// The part of Handler that answers with bodies that are in pieces: large ones from SQLite, chunk by chunk,
// those of which parts are stored, and several ranges of any.

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
  return !piece.of.disk_body || piece.of.disk_body->ReadChunk(piece.begin / kChunkBytes, chunk).ok();
}

bool Handler::InPieces(const StoredResponse& response) const {
  return !response.body || request().headers.Get("Range").value_or("").find(',') != std::string_view::npos;
}

uint64_t Handler::BytesInMemory(const Pieces& pieces) {
  uint64_t bytes = 0;
  ObjectId last = 0;
  for (const auto& of_range : pieces) {
    for (const Piece& piece : of_range) {
      if (piece.of.body && std::exchange(last, piece.id) != piece.id) bytes += piece.of.body->size();
    }
  }
  return bytes;
}

bool Handler::AnyFromDisk(const Pieces& pieces) {
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
    PartBody whole{at_.found.lookup, response.body, response.disk_body};
    pieces.push_back({response.object_id, std::move(whole), range.first, range.last + 1});
    return pieces;
  }
  const auto slices = http::Cover(RangesOf(*response.parts), range);
  if (!slices) return std::nullopt;
  for (const http::Slice& slice : *slices) {
    const StoredParts::Part& part = response.parts->parts[slice.part];
    PartBody body = context_.cache.FindPart(part.object_id);
    if (body.lookup == Lookup::kUriMiss) return std::nullopt;
    const uint64_t begin = slice.range.first - part.range.first;
    pieces.push_back({part.object_id, std::move(body), begin, begin + slice.range.size()});
  }
  return pieces;
}

Task<bool> Handler::StoredInPieces(http::CacheStatus status) {
  const StoredResponse& response = *at_.found.response;
  const WallTime now = context_.clock.WallNow();
  const auto age = http::CurrentAge(response.freshness, now);
  const bool keep = Form().keep_alive;
  out_.clear();
  if (ClientHasIt(response.head, now)) {
    AppendNotModified(response.head, age, status);
    const bool written = co_await client_.Write(Gather(out_));
    if (!written) co_return false;
    co_return keep;
  }
  http::RangeAnswer answer = AnswerRange(response);
  if (at_.is_head) answer.ranges.clear();
  // Before the head, while another answer is possible.
  Pieces pieces;
  for (const http::ByteRange range : answer.ranges) {
    auto found = PiecesOf(response, range);
    if (!found) co_return co_await StoredIsLost();
    pieces.push_back(*std::move(found));
  }
  std::string chunk;
  if (!pieces.empty() && !ReadBeginning(pieces.front().front(), &chunk)) co_return co_await StoredIsLost();
  if (status.forward == http::Forward::kNone && AnyFromDisk(pieces)) status.detail = Name(Lookup::kDisk);
  AppendHead(answer.head, age, Framing::kContentLength, status, Form(), &out_);
  Log(answer.head.status, status);
  at_.LetGo();
  const FlightMemory::Hold hold(context_.flights.memory(), BytesInMemory(pieces));
  if (!hold) {
    for (auto& of_range : pieces) {
      for (Piece& piece : of_range) piece.of.body = {};
    }
  }
  const bool began = co_await client_.Write(Gather(out_));
  if (!began) co_return false;
  const bool written = co_await WriteRanges(answer, pieces, std::move(chunk));
  if (!written) co_return false;
  co_return keep;
}

Task<bool> Handler::WriteRanges(const http::RangeAnswer& answer, const Pieces& pieces, std::string chunk) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view before = answer.around.empty() ? std::string_view() : answer.around[i];
    const bool parted = co_await client_.Write(Gather(before));
    if (!parted) co_return false;
    const bool sent = co_await WritePieces(pieces[i], std::exchange(chunk, {}));
    if (!sent) co_return false;
  }
  if (pieces.empty() || answer.around.empty()) co_return true;
  co_return co_await client_.Write(Gather(answer.around.back()));
}

Task<bool> Handler::WritePieces(const std::vector<Piece>& pieces, std::string chunk) {
  for (const Piece& piece : pieces) {
    const bool sent = co_await WritePiece(piece, std::exchange(chunk, {}));
    if (!sent) co_return false;
  }
  co_return true;
}

Task<bool> Handler::WritePiece(const Piece& piece, std::string chunk) {
  const PartBody& of = piece.of;
  if (of.body) co_return co_await client_.Write(Bytes({}, of.body, piece.begin, piece.end));
  if (!of.disk_body) co_return co_await WriteById(piece.id, piece.begin, piece.end);
  co_return co_await WriteFromDisk(*of.disk_body, piece.begin, piece.end, std::move(chunk));
}

Task<bool> Handler::WriteById(ObjectId id, uint64_t begin, uint64_t end) {
  while (begin < end) {
    const bool ready = co_await client_.AwaitRoom();
    if (!ready) co_return false;
    const PartBody found = context_.cache.FindBody(id);
    if (found.disk_body) co_return co_await WriteFromDisk(*found.disk_body, begin, end);
    if (!found.body) {
      client_.CutOff();
      co_return false;
    }
    Gather bytes = Bytes({}, found.body, begin, end);
    const uint64_t sent = client_.sent();
    bool failed = false;
    client_.WriteNow(&bytes, &failed);
    if (failed) co_return false;
    begin += client_.sent() - sent;
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
    if (!client_.WriteNow(&bytes, &failed) && !failed) {
      const FlightMemory::Hold hold(context_.flights.memory(), kChunkBytes);
      if (hold) {
        const bool written = co_await client_.Write(bytes);
        failed = !written;
      } else {
        // Too many wait like this: the chunk is let go, and read again when the client is ready.
        chunk = {};
        const bool ready = co_await client_.AwaitRoom();
        failed = !ready;
      }
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
