// A name server on loopback: every A query gets the same addresses, every AAAA query nothing. For tests only.
#pragma once

#include <fmt/format.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/replica/io/asio.h"

namespace perigee::replica::testing {

class NameServer {
 public:
  // Serves while `io` runs; belongs to the thread that runs it.
  NameServer(asio::io_context& io, std::vector<std::string> addresses, uint32_t ttl)
      : socket_(io, Udp::endpoint(asio::ip::address_v4::loopback(), 0)),
        addresses_(std::move(addresses)),
        ttl_(ttl) {
    Receive();
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", socket_.local_endpoint().port()); }

  int a_queries = 0;
  bool silent = false;
  // With it, the addresses are those of x.NAME, for which NAME is an alias of this TTL.
  std::optional<uint32_t> alias_ttl;

 private:
  using Udp = asio::ip::udp;

  void Receive() {
    socket_.async_receive_from(asio::buffer(query_), from_, [this](const error_code& error, size_t size) {
      if (error) return;
      Answer(size);
      Receive();
    });
  }

  void Answer(size_t size) {
    size_t end = 12;
    while (query_[end] != 0) end += static_cast<size_t>(query_[end]) + 1;
    end += 5;  // root label, type, class
    const bool is_a = query_[end - 3] == 1;
    if (end > size) return;
    if (is_a) ++a_queries;
    if (silent) return;
    std::string answer(query_.data(), end);
    answer[2] = '\x81';
    answer[3] = '\x80';
    answer[7] = static_cast<char>(is_a ? addresses_.size() : 0);
    answer[11] = 0;  // no additional records
    if (is_a) AppendRecords(&answer);
    socket_.send_to(asio::buffer(answer), from_);
  }

  void AppendRecords(std::string* answer) const {
    char owner = 12;  // where the name asked for is
    if (alias_ttl) {
      ++(*answer)[7];
      AppendRecord(owner, 5, *alias_ttl, std::string("\x01x\xc0\x0c", 4), answer);
      owner = static_cast<char>(answer->size() - 4);
    }
    for (const std::string& text : addresses_) {
      const auto octets = asio::ip::make_address_v4(text).to_bytes();
      AppendRecord(owner, 1, ttl_, std::string(octets.begin(), octets.end()), answer);
    }
  }

  // `owner`: where its name is in the message. Of class IN, with four bytes of data.
  static void AppendRecord(char owner, char type, uint32_t ttl, const std::string& data,
                           std::string* answer) {
    *answer += {'\xc0', owner, '\0', type, '\0', '\1'};
    for (int shift = 24; shift >= 0; shift -= 8) *answer += static_cast<char>(ttl >> shift);
    *answer += {'\0', '\4'};
    *answer += data;
  }

  Udp::socket socket_;
  Udp::endpoint from_;
  std::vector<std::string> addresses_;
  uint32_t ttl_;
  std::array<char, 512> query_;
};

}  // namespace perigee::replica::testing
