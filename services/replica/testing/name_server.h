// A name server on loopback: every A query gets the same addresses, every AAAA query nothing. For tests only.
#pragma once

#include <fmt/format.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
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
    if (is_a) {
      for (const std::string& address : addresses_) answer += Record(address);
    }
    socket_.send_to(asio::buffer(answer), from_);
  }

  std::string Record(const std::string& address) const {
    // c0 0c: the name asked for; type A, class IN, TTL, four bytes of address
    std::string record("\xc0\x0c\x00\x01\x00\x01", 6);
    for (int shift = 24; shift >= 0; shift -= 8) record += static_cast<char>(ttl_ >> shift);
    record += std::string("\x00\x04", 2);
    for (const uint8_t octet : asio::ip::make_address_v4(address).to_bytes())
      record += static_cast<char>(octet);
    return record;
  }

  Udp::socket socket_;
  Udp::endpoint from_;
  std::vector<std::string> addresses_;
  uint32_t ttl_;
  std::array<char, 512> query_;
};

}  // namespace perigee::replica::testing
