// The bytes of a connection to the origin: a TCP socket, and TLS over it where the origin is https. Plain TCP
// costs a null pointer and a branch for each call. Belongs to one thread.
#pragma once

#include <boost/asio/write.hpp>
#include <memory>

#include "lib/base/address.h"
#include "services/replica/fetch/tls_client.h"
#include "services/replica/io/asio.h"

namespace perigee::replica {

class Transport {
 public:
  explicit Transport(const Executor& executor) : socket_(executor) {}

  // With TLS unless `tls` is null; `why` may be so too then. When TLS is what failed, `*why` tells more:
  // " (certificate has expired)".
  Task<FetchError> Connect(const IpAddress& address, uint16_t port, TlsClient* tls, std::string* why);

  // As Asio's of the same names, to be awaited: error and size.
  template <typename Buffers>
  auto Read(const Buffers& buffers) {
    return tls_ ? tls_->async_read_some(buffers, kAwait) : socket_.async_read_some(buffers, kAwait);
  }
  template <typename Buffers>
  auto WriteAll(const Buffers& buffers) {
    return tls_ ? asio::async_write(*tls_, buffers, kAwait) : asio::async_write(socket_, buffers, kAwait);
  }

  // Whether it is open and nothing waits to be read.
  bool IsSilent();
  // What is under way ends with an error. Without TLS's close_notify: HTTP knows where its messages end.
  void Close();

 private:
  Socket socket_;
  std::unique_ptr<TlsStream> tls_;
};

}  // namespace perigee::replica
