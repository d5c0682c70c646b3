// The bytes of a stored body: written once, then shared by everybody who sends them. Copies are cheap.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace perigee::replica {

class Body {
 public:
  // From this size on the bytes are in a file of their own (memfd_create(2)), whose pages the kernel sends
  // without copying them.
  static constexpr size_t kMinFileBytes = size_t{128} * 1024;
  // Further ones have none: a process may map some 65,000 areas (vm.max_map_count).
  static constexpr int kMaxFiles = 16'384;

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
  // For sendfile(2); its first byte is that of the view. -1 when there is none.
  int file() const { return file_; }

  friend bool operator==(const Body&, const Body&) = default;

 private:
  Body(std::shared_ptr<const void> owner, std::string_view view, int file)
      : owner_(std::move(owner)), view_(view), file_(file) {}

  std::shared_ptr<const void> owner_;  // of the bytes, and of the file
  std::string_view view_;
  int file_ = -1;
};

struct Body::Draft {
  char* bytes;
  Body body;
};

}  // namespace perigee::replica
