// Up to three pieces of memory sent as one: a head or chunk header, a body, an end.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <optional>
#include <string_view>

namespace perigee::replica {

// A ConstBufferSequence. Points to memory that it does not own.
class Gather {
 public:
  using value_type = boost::asio::const_buffer;
  using const_iterator = const value_type*;

  explicit Gather(std::string_view first, std::string_view second = {}, std::string_view third = {})
      : buffers_{Buffer(first), Buffer(second), Buffer(third)} {}

  const_iterator begin() const { return buffers_; }
  const_iterator end() const { return buffers_ + std::size(buffers_); }

  // The second piece lies in a file too, whose first byte is at `start` in memory: sendfile(2) saves copying.
  Gather& FromFile(int file, const char* start) {
    file_ = file;
    start_ = start;
    return *this;
  }
  int file() const { return file_; }
  // The next piece to send.
  const value_type& front() const {
    return *std::find_if(begin(), end() - 1, [](const value_type& buffer) { return buffer.size() > 0; });
  }
  // Where in the file that is; nothing when it is not the one that lies there.
  std::optional<off_t> front_in_file() const {
    if (file_ < 0 || &front() != &buffers_[1]) return std::nullopt;
    return static_cast<const char*>(front().data()) - start_;
  }

  size_t size() const { return buffers_[0].size() + buffers_[1].size() + buffers_[2].size(); }
  bool empty() const { return size() == 0; }
  // What is left of its first, second or third piece.
  std::string_view piece(size_t number) const {
    return {static_cast<const char*>(buffers_[number].data()), buffers_[number].size()};
  }
  // When all that is left is in one piece: a plain send costs less than one that gathers.
  const value_type* single() const {
    const auto has_bytes = [](const value_type& buffer) { return buffer.size() > 0; };
    const_iterator const first = std::find_if(begin(), end(), has_bytes);
    return std::find_if(std::min(first + 1, end()), end(), has_bytes) == end() && first != end() ? first
                                                                                                 : nullptr;
  }
  // No more than the first `n` bytes.
  Gather First(size_t n) const {
    Gather first = *this;
    for (value_type& buffer : first.buffers_) {
      buffer = boost::asio::buffer(buffer, n);
      n -= buffer.size();
    }
    return first;
  }
  // The first `n` bytes are sent.
  void Advance(size_t n) {
    for (value_type& buffer : buffers_) {
      const size_t step = std::min(n, buffer.size());
      buffer += step;
      n -= step;
    }
  }

 private:
  static value_type Buffer(std::string_view text) { return {text.data(), text.size()}; }
  value_type buffers_[3];
  int file_ = -1;
  const char* start_ = nullptr;
};

}  // namespace perigee::replica
