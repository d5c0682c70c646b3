#include "services/replica/session/background.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "services/replica/session/leading.h"

namespace perigee::replica {
namespace {

Task<> Fetch(Context& context, BackgroundRequest at, FlightTable::Lease lease) {
  at.request.method = "GET";
  Recorder recorder(context.telemetry, at.client);
  const Errand errand{.key = at.key,
                      .request = at.request,
                      .path = at.path,
                      .client = at.client,
                      .stored = at.stored,
                      .stands_in = at.stored != nullptr};
  Outcome outcome = co_await AskOrigin(context, recorder, errand, lease);
  if (!outcome.storing) co_return;
  co_await Fill(context, std::move(outcome.connection), std::move(lease), *std::move(outcome.storing));
}

}  // namespace

void FetchBehind(Context& context, BackgroundRequest request) {
  FlightTable::Seat seat = context.flights.Join(request.key);
  if (seat.joined) return;
  asio::co_spawn(context.executor, Fetch(context, std::move(request), std::move(*seat.lease)),
                 asio::detached);
}

}  // namespace perigee::replica
