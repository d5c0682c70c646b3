#include "services/replica/session/connection.h"

namespace perigee::replica {

Task<> Connection::Run() {
  for (;;) {
    const ClientStream::Read read = co_await client_.ReadHead();
    if (read == ClientStream::Read::kClosed) {
      KeepRtt();
      co_return;
    }
    if (read == ClientStream::Read::kRejected) {
      co_await handler_.Reject(client_.rejection());
      break;
    }
    const bool keep = co_await handler_.Handle();
    handler_.Record();
    // An answer that was begun before the drain has promised to keep the connection; it may end all the same.
    if (!keep || context_.draining) break;
  }
  KeepRtt();
  co_await client_.LingerAndClose();
}

// At the end: the kernel has seen most then.
void Connection::KeepRtt() {
  if (const std::optional<Rtt> rtt = client_.rtt()) context_.client_rtts.Add(client_.client(), *rtt);
}

}  // namespace perigee::replica
