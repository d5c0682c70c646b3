// The part of Handler that carries WebSocket through (RFC 9110 §7.8, RFC 6455): the origin agrees or not, and
// from its 101 on both sides' bytes go to and fro as they come.
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "services/replica/fetch/origin_request.h"
#include "services/replica/session/handler.h"

namespace perigee::replica {

struct Handler::TunnelEnds {
  OriginConnection& origin;
  Deadline idle;
  bool over = false;
};

Task<bool> Handler::Tunnel() {
  using asio::experimental::awaitable_operators::operator&&;
  if (context_.counters.tunnels() >= context_.limits.max_tunnels) {
    http::CacheStatus status = MissStatus();
    status.detail = kRejectedDetail;
    co_return co_await OwnAnswer(503, "too many WebSocket connections", status);
  }
  http::HeaderList fields = OriginFields(request(), context_.origin, client_.client());
  fields.Set("Connection", "Upgrade");
  fields.Set("Upgrade", kWebSocket);
  const std::string text = OriginRequestText(request(), at_.plan.path, fields, false);
  const InterimSink interim = ForwardInterim();
  recorder_.AskOrigin();
  Fetched fetched = co_await context_.pool.Fetch(client_.client(), text, Asks::kUpgrade, &interim);
  if (fetched.error == FetchError::kNone && fetched.connection->head().status == 101 &&
      !fetched.connection->head().headers.ListHas("Upgrade", kWebSocket)) {
    fetched.error = FetchError::kMalformed;  // to something that the client has not asked for
  }
  recorder_.OriginSaid(fetched.error);
  if (fetched.error != FetchError::kNone) co_return co_await OriginFailed(fetched.error, false);

  http::ResponseHead& head = fetched.connection->head();
  PrepareResponse(&head, fetched.connection->minor_version());
  http::CacheStatus status = MissStatus();
  status.forward_status = head.status;
  if (head.status != 101) co_return co_await RelayAndRelease(std::move(fetched.connection), status);

  head.headers.Set("Connection", "Upgrade");
  head.headers.Set("Upgrade", kWebSocket);
  out_.clear();
  AppendHead(head, std::nullopt, Framing::kNone, status, {}, &out_);
  Log(head.status, status);
  const bool began = co_await client_.Write(Gather(out_));
  if (!began) co_return false;

  context_.counters.tunnels_opened.Add();
  TunnelEnds ends{.origin = *fetched.connection,
                  .idle = Deadline(context_.sweeper, [&] { EndTunnel(&ends); })};
  ends.idle.SetAfter(stops_ ? context_.limits.drain_idle_timeout : context_.limits.tunnel_idle_timeout);
  tunnel_ = &ends;
  Task<> both_ways = TunnelUp(&ends) && TunnelDown(&ends);
  co_await std::move(both_ways);
  tunnel_ = nullptr;
  context_.counters.tunnels_closed.Add();
  co_return false;
}

Task<> Handler::TunnelUp(TunnelEnds* ends) {
  while (!ends->over) {
    std::string piece;
    const bool came = co_await client_.ReadTunnel(&piece);
    if (!came) break;
    LimitTunnel(ends);
    const FetchError error = co_await ends->origin.Write(Gather(piece));
    if (error != FetchError::kNone) break;
  }
  EndTunnel(ends);
}

Task<> Handler::TunnelDown(TunnelEnds* ends) {
  while (!ends->over) {
    std::string piece;
    const FetchError error = co_await ends->origin.ReadTunnel(&piece);
    if (error != FetchError::kNone) break;
    LimitTunnel(ends);
    const bool written = co_await client_.Write(Gather(piece));
    if (!written) break;
  }
  EndTunnel(ends);
}

void Handler::LimitTunnel(TunnelEnds* ends) const {
  if (!stops_) ends->idle.SetAfter(context_.limits.tunnel_idle_timeout);
}

void Handler::Drain() {
  stops_ = true;
  if (tunnel_) tunnel_->idle.SetAfter(context_.limits.drain_idle_timeout);
}

void Handler::EndTunnel(TunnelEnds* ends) {
  ends->over = true;
  ends->origin.Close();
  client_.CancelRead();
}

}  // namespace perigee::replica
