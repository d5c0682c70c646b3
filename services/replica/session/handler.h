// Answers one request after the other on one client connection. One thread.
//
//   Handle ─ kReject ──────▶ an error of our own
//          ─ kPassThrough ─▶ PassThrough: body up, answer down, both at once
//          ─ kTunnel ──────▶ Tunnel: WebSocket, bytes both ways after the origin's 101
//          ─ a beacon ─────▶ 204, of our own
//          ─ kLastHop ─────▶ 200 with Allow, of our own
//          ─ kCache ───────▶ hit: one send, no suspension
//                            miss: Follow the fetch under way, or Lead one (leading.h): Stored (304), Shared
//                            (storable, also a part: a detached Fill feeds a Flight, this client being one of
//                            its readers) or Relay (not storable: this client alone, with back-pressure)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/beacon_token.h"
#include "lib/http_semantics/cache_control.h"
#include "lib/http_semantics/freshness.h"
#include "lib/http_semantics/range.h"
#include "services/replica/session/answer.h"
#include "services/replica/session/background.h"
#include "services/replica/session/client_stream.h"
#include "services/replica/session/context.h"
#include "services/replica/session/leading.h"
#include "services/replica/session/request_plan.h"
#include "services/replica/telemetry/recorder.h"

namespace perigee::replica {

class Handler {
 public:
  // Both must outlive it.
  Handler(Context& context, ClientStream& client)
      : context_(context), client_(client), recorder_(context.telemetry, client.client()) {}

  // Answers the request that `client` has just read. False: the connection is done with.
  Task<bool> Handle();
  // Afterwards: writes down what became of it, and lets go of what answered it. A connection that waits for
  // its next request keeps no body.
  void Finish();

  // The server stops: a tunnel, which has no end to wait for, ends after drain_idle_timeout.
  void Drain();

  // Answers a request that could not be read.
  Task<> Reject(Rejection rejection);

 private:
  // What is known of the request at hand.
  struct Request {
    Plan plan;
    std::optional<BeaconToken> beacon;
    std::string key;
    http::CacheControl control;
    FindResult found;
    std::shared_ptr<const StoredResponse> parts;  // stored, and not all that is asked for
    http::ReuseDecision decision;
    bool is_head = false;
    bool lost = false;  // what was found could not be read

    // The answer needs nothing of what is stored: a slow client holds no body of it.
    void LetGo() {
      found = {};
      parts = nullptr;
    }
  };

  const RequestHead& request() const { return client_.request(); }
  AnswerForm Form() const;
  http::CacheStatus MissStatus() const;

  void MakePlan();
  Task<bool> AnswerBeacon();

  // Cached answers (handler.cc).
  bool LookUp();
  // Whether the answer can be made of what is stored, which is in parts.
  bool Suffices(const StoredResponse& in_parts) const;
  bool ClientHasIt(const http::ResponseHead& head, WallTime now) const;
  Gather GatherStored(const StoredResponse& response, const http::CacheStatus& status);
  void AppendNotModified(const http::ResponseHead& head, std::optional<std::chrono::seconds> age,
                         const http::CacheStatus& status);
  http::RangeAnswer AnswerRange(const StoredResponse& response) const;
  // `head`, and behind it the bytes of `body` from `begin` to `end`.
  static Gather Bytes(std::string_view head, const Body& body, uint64_t begin, uint64_t end);
  Gather GatherRanges(const http::RangeAnswer& answer, const Body& stored_body, std::chrono::seconds age,
                      const http::CacheStatus& status);
  // A fetch behind the answer to this request.
  BackgroundRequest BehindThis() const;
  // Whether what is stored is served in place of a server's trouble (IsServerTrouble).
  bool StoredStandsIn() const;
  // Holds `response` in at_.found alone. So must callers, and flights that they have: what a slow client
  // waits for may have to go (WriteStored).
  Task<bool> Stored(std::shared_ptr<const StoredResponse> response, http::CacheStatus status);
  // Sends what GatherStored made of what was found. While the client is not ready its body counts among the
  // memory of flights; where there is no such room, it is let go.
  Task<bool> WriteStored(Gather bytes);

  // Large bodies from SQLite, bodies in parts, and answers of several ranges (handler_pieces.cc).
  bool InPieces(const StoredResponse& response) const;
  // Answers with what was found.
  Task<bool> StoredInPieces(http::CacheStatus status);
  // Bytes of a stored body, from `begin` to `end` there.
  struct Piece {
    ObjectId id = 0;
    PartBody of;  // without a body: it has been let go
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  using Pieces = std::vector<std::vector<Piece>>;  // of each range of an answer
  // What the bytes of `range` are in; nothing when it is not all there any more.
  std::optional<std::vector<Piece>> PiecesOf(const StoredResponse& response, http::ByteRange range);
  // Reads the first chunk of it, if it is on the disk. False: it is lost.
  static bool ReadBeginning(const Piece& piece, std::string* chunk);
  static bool AnyFromDisk(const Pieces& pieces);
  static uint64_t BytesInMemory(const Pieces& pieces);
  // What stands around them too. `chunk`: the first chunk if it has been read.
  Task<bool> WriteRanges(const http::RangeAnswer& answer, const Pieces& pieces, std::string chunk);
  Task<bool> WritePieces(const std::vector<Piece>& pieces, std::string chunk);
  // Nothing of an answer has been sent: the request is a miss, once.
  Task<bool> StoredIsLost();
  Task<bool> WritePiece(const Piece& piece, std::string chunk);
  // Sends the bytes from `begin` to `end` of what is looked up anew whenever the client takes more. Cuts the
  // answer off when it is not stored any more.
  Task<bool> WriteById(ObjectId id, uint64_t begin, uint64_t end);
  // Sends the bytes from `begin` to `end`, one chunk at a time, which is read in this thread. `chunk`: the
  // first of them if it has been read. While a client is not ready its chunk is kept, within the memory of
  // flights.
  Task<bool> WriteFromDisk(const DiskBody& body, uint64_t begin, uint64_t end, std::string chunk = {});

  // Through the cache (handler_miss.cc).
  Task<bool> Miss();
  bool MayShare() const;
  // Whether what `flight` brings was not there when this request came, or else may be served without asking.
  bool MayFollow(const Flight& flight) const;
  FlightTable::Seat TakeSeat();
  Task<bool> Follow(std::shared_ptr<Flight> flight);
  Task<bool> Lead(FlightTable::Lease lease);
  Task<bool> LeadAlone();  // with a flight that nobody can join
  Task<Outcome> Ask(FlightTable::Lease& lease);
  // After a 206: the next request for a part shall find the whole, if it may be stored and fits.
  void FetchWholeBehind(const http::ResponseHead& partial);
  Task<bool> Shared(FlightTable::Lease lease, Outcome outcome, http::CacheStatus status);
  Task<bool> StreamFlight(Flight::Reader& reader, const http::ResponseHead& head,
                          std::optional<std::chrono::seconds> age, std::optional<uint64_t> length,
                          const http::CacheStatus& status);

  // Past the cache (handler_relay.cc).
  struct Passage {
    bool uploaded = false;       // the request's body is with the origin
    bool client_failed = false;  // it ended early or was malformed, before there was an answer
    bool answered = false;
    bool keep = false;
  };
  Task<bool> Direct();
  // RFC 9111 §4.3.5: a response to HEAD freshens what is stored, or shows it to be another.
  void UpdateFromHead(const http::ResponseHead& head, uint64_t asked_at);
  Task<bool> PassThrough();
  Task<> Upload(OriginConnection& connection, Passage* passage);
  Task<> Download(OriginConnection& connection, Passage* passage);
  Task<bool> Relay(OriginConnection& connection, http::CacheStatus status);
  Task<bool> RelayAndRelease(std::unique_ptr<OriginConnection> connection, http::CacheStatus status);
  void Invalidate(std::string_view path);
  void InvalidateAfter(const http::ResponseHead& response);

  // WebSocket (handler_tunnel.cc).
  struct TunnelEnds;
  Task<bool> Tunnel();
  Task<> TunnelUp(TunnelEnds* ends);
  Task<> TunnelDown(TunnelEnds* ends);
  void LimitTunnel(TunnelEnds* ends) const;
  void EndTunnel(TunnelEnds* ends);

  // Sends the origin's interim responses on to the client. Lives as long as this.
  InterimSink ForwardInterim();
  Task<> WriteInterim(http::ResponseHead head);
  Task<bool> OriginFailed(FetchError error, bool collapsed);
  Task<bool> OwnAnswer(int status, std::string_view why, http::CacheStatus cache_status);
  Task<bool> WriteFlightPiece(Framing framing, const Flight::Reader::Piece& piece);
  // `head`, and behind it the piece: either may be empty.
  Task<bool> WriteBodyPiece(Framing framing, std::string_view piece, std::string_view head = {});
  Task<bool> EndBody(Framing framing);
  // The answer in out_ is about to be sent.
  void Log(int status, const http::CacheStatus& cache_status);

  Context& context_;
  ClientStream& client_;
  Recorder recorder_;
  Request at_;
  std::string out_;  // the head being written; kept for its memory
  TunnelEnds* tunnel_ = nullptr;
  bool stops_ = false;
};

}  // namespace perigee::replica
