// The byte side of one client connection: reads requests, writes answers, and keeps the time-outs. One
// thread. SIGPIPE must be ignored in the process, for sendfile(2) raises it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/replica/http1/parser.h"
#include "services/replica/io/deadline.h"
#include "services/replica/io/gather.h"
#include "services/replica/io/pace.h"
#include "services/replica/limits.h"

namespace perigee::replica {

class ClientStream {
 public:
  // `limits` and `sweeper` must outlive it.
  ClientStream(Socket socket, const IpAddress& client, DeadlineSweeper& sweeper, const Limits& limits);

  enum class Read { kDone, kClosed, kRejected };

  // The next request's head, pipelined or from the socket. kRejected: answer rejection() and close. kClosed
  // also when nothing of it has come within `idle`.
  Task<Read> ReadHead(milliseconds idle);
  const RequestHead& request() const { return parser_.head(); }
  const Rejection& rejection() const { return rejection_; }

  // Appends the next piece of the request's body; kDone with nothing appended is its end.
  Task<Read> ReadBody(std::string* out);
  bool body_done() const { return parser_.body_done(); }
  // After a 101: appends what has come, whatever it is, without a time limit. False: the client has ended it.
  Task<bool> ReadTunnel(std::string* out);
  // Whether bytes of the body, or of a next request, have already come.
  bool has_input() const { return begin_ != end_; }

  // Sends all of it; false when the client is gone or too slow (write_timeout, min_rate).
  Task<bool> Write(Gather bytes);
  // What the socket takes without waiting, which is all of most answers: true when everything went, else
  // `bytes` is what is left (`failed` if hopeless).
  bool WriteNow(Gather* bytes, bool* failed);
  // Waits until the client can be sent more; false as Write.
  Task<bool> AwaitRoom();

  const IpAddress& client() const { return client_; }
  // To the client, as far as the kernel knows it; nothing once the connection is closed.
  std::optional<Rtt> rtt();
  // Bytes that the kernel has taken, of all answers.
  uint64_t sent() const { return sent_; }

  // Whether the connection sits between two requests.
  bool idle() const { return idle_; }
  // When idle: for no longer than this from now on.
  void LimitIdle(milliseconds idle);
  // The connection is to be ended as that of a client which is too slow.
  void CutOff() { too_slow_ = true; }
  // Whether a write has failed because the client took its bytes too slowly.
  bool too_slow() const { return too_slow_; }

  // The answer cannot be completed: resets the connection, so that the client cannot take it for whole.
  void Abort();
  void Close();
  void CancelRead();
  // Unless a write has failed: sends FIN and waits a little for the client's, so that an answer to a request
  // that was not read to its end is not lost to a reset.
  Task<void> LingerAndClose();

 private:
  std::string_view input() const { return {buffer_.data() + begin_, end_ - begin_}; }
  // False when the buffer may not grow any more.
  bool MakeRoom();
  // WriteNow where a piece lies in a file.
  bool SendFileNow(Gather* bytes, bool* failed);
  // Reads more input and clears the deadline; kRejected with 408 when that passed first.
  Task<Read> Receive();

  Socket socket_;
  Deadline deadline_;
  const Limits& limits_;
  IpAddress client_;
  RequestParser parser_;
  Rejection rejection_;
  bool idle_ = false;
  MonoTime idle_until_;
  bool expired_ = false;
  bool lost_ = false;      // a write has failed
  bool too_slow_ = false;  // for that reason
  // Received and not yet used up: [begin_, end_) of the buffer.
  std::string buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  Pace reading_;  // of a body
  Pace writing_;
};

}  // namespace perigee::replica
