#include "services/replica/session/connection.h"

namespace perigee::replica {

Task<> Connection::Run() {
  for (;;) {
    const ClientStream::Read read = co_await client_.ReadHead(IdleTimeout());
    if (read == ClientStream::Read::kClosed) {
      KeepRtt();
      co_return;
    }
    if (read == ClientStream::Read::kRejected) {
      co_await handler_.Reject(client_.rejection());
      break;
    }
    const bool keep = co_await handler_.Handle();
    handler_.Finish();
    if (!keep) break;
  }
  if (client_.too_slow()) context_.counters.refused[Refusal::kSlowReader].Add();
  KeepRtt();
  co_await client_.LingerAndClose();
}

// At the end: the kernel has seen most then.
void Connection::KeepRtt() {
  if (const std::optional<Rtt> rtt = client_.rtt()) context_.client_rtts.Add(client_.client(), *rtt);
}

}  // namespace perigee::replica
