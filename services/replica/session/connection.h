// One client connection from accept to close: request after request, each read by ClientStream and answered
// by Handler. Lives in its own coroutine, on one thread.
#pragma once

#include <boost/intrusive/list.hpp>
#include <utility>

#include "services/replica/session/client_stream.h"
#include "services/replica/session/context.h"
#include "services/replica/session/handler.h"

namespace perigee::replica {

class Connection
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Connection(Socket socket, const IpAddress& client, Context& context)
      : context_(context),
        client_(std::move(socket), client, context.sweeper, context.limits),
        handler_(context, client_) {
    context_.counters.connections_opened.Add();
  }
  ~Connection() { context_.counters.connections_closed.Add(); }

  Task<> Run();

  // At most one further request, for one may be on its way: closes after the answer to it, or when none has
  // come for drain_idle_timeout. A tunnel ends after that time, whatever it carries. context.draining is set
  // already.
  void Drain() {
    handler_.Drain();
    if (client_.idle()) client_.LimitIdle(context_.limits.drain_idle_timeout);
  }
  void Close() { client_.Close(); }

 private:
  milliseconds IdleTimeout() const {
    return context_.draining ? context_.limits.drain_idle_timeout : context_.limits.keep_alive_timeout;
  }
  void KeepRtt();

  Context& context_;
  ClientStream client_;
  Handler handler_;
};

}  // namespace perigee::replica
