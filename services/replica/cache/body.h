// The bytes of a stored body: written once, then shared by everybody who sends them. Copies are cheap.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace perigee::replica {

class Body {
 public:
  // None at all, which is not the same as an empty one.
  Body() = default;
  explicit Body(std::shared_ptr<const std::string> bytes);

  struct Draft;
  // `size` bytes, which the caller writes before anybody else sees the body, and room for `slack` bytes
  // behind them, which are no part of it.
  static Draft Make(size_t size, size_t slack = 0);

  explicit operator bool() const { return owner_ != nullptr; }
  std::string_view operator*() const { return view_; }
  const std::string_view* operator->() const { return &view_; }
  // For sendfile(2), and what of the file lies where in memory: its first byte. -1 when there is no file.
  int file() const { return file_; }
  const char* file_start() const { return file_start_; }

  friend bool operator==(const Body&, const Body&) = default;

 private:
  friend class BodyFile;
  Body(std::shared_ptr<const void> owner, std::string_view view) : owner_(std::move(owner)), view_(view) {}

  std::shared_ptr<const void> owner_;  // of the bytes, and of the file
  std::string_view view_;
  int file_ = -1;
  const char* file_start_ = nullptr;
};

struct Body::Draft {
  char* bytes;
  Body body;
};

}  // namespace perigee::replica
