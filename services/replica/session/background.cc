#include "services/replica/session/background.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "lib/http_semantics/validation.h"
#include "services/replica/fetch/origin_request.h"
#include "services/replica/session/storing.h"

namespace perigee::replica {
namespace {

Task<> Fetch(Context& context, BackgroundRequest at, FlightTable::Lease lease) {
  http::HeaderList fields = OriginFields(at.request, context.origin, at.client);
  http::MakeConditional(at.stored ? at.stored->head.headers : http::HeaderList(), &fields);
  at.request.method = "GET";
  const uint64_t asked_at = context.cache.PurgeGeneration();
  const std::string text = OriginRequestText(at.request, at.path, fields, false);
  Recorder recorder(context.telemetry, at.client);
  recorder.AskOrigin();
  const bool validates = at.stored && http::HasValidator(at.stored->head.headers);
  const Asks asks = validates ? Asks::kContent : Asks::kUnconditional;
  Fetched fetched = co_await context.pool.Fetch(text, asks);
  recorder.OriginSaid(fetched.error);
  if (fetched.error != FetchError::kNone) {
    lease.Fail(fetched.error);
    co_return;
  }
  OriginConnection& connection = *fetched.connection;
  PrepareResponse(&connection.head(), connection.minor_version());
  const http::ResponseHead& head = connection.head();
  if (at.stored && http::IsServerTrouble(head.status)) {
    lease.flight()->Publish(HeadOf(at.stored));
    co_return;
  }
  if (head.status == 304 && http::NotModifiedAppliesTo(at.stored->head.headers, head.headers)) {
    context.counters.revalidated.Add();
    Publish(*lease.flight(), Freshen(context, at.key, at.request.headers, at.stored, head, asked_at));
    lease.Close();
    context.pool.Release(std::move(fetched.connection));
    co_return;
  }
  const auto why_not = WhyNotShared(context, connection, fields);
  if (why_not) {
    ForgetSuperseded(context, at.key, head.status, *why_not);
    lease.flight()->GoAlone();
    co_return;
  }
  Storing storing{.key = at.key, .request = at.request.headers, .head = head, .asked_at = asked_at};
  storing.head.headers = http::HeadersToStore(head.headers);
  Publish(context, *lease.flight(), storing, BodyLength(connection));
  co_await Fill(context, std::move(fetched.connection), std::move(lease), std::move(storing));
}

}  // namespace

void FetchBehind(Context& context, BackgroundRequest request) {
  FlightTable::Seat seat = context.flights.Join(request.key);
  if (seat.joined) return;
  asio::co_spawn(context.executor, Fetch(context, std::move(request), std::move(*seat.lease)),
                 asio::detached);
}

}  // namespace perigee::replica
