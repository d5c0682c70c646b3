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
  Connection(Socket socket, Context& context)
      : context_(context),
        client_(std::move(socket), context.sweeper, context.limits),
        handler_(context, client_) {
    context_.counters.connections_opened.Add();
  }
  ~Connection() { context_.counters.connections_closed.Add(); }

  Task<> Run();

  // No further request: closes now when none is under way, else after its answer.
  void Drain() {
    if (client_.idle()) client_.CancelRead();
  }
  void Close() { client_.Close(); }

 private:
  void KeepRtt();

  Context& context_;
  ClientStream client_;
  Handler handler_;
};

}  // namespace perigee::replica
