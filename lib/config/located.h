// Complaints about a message in text format, with file, line and column. Used by the fleet file's rules only.
#pragma once

#include <google/protobuf/text_format.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "google/protobuf/io/tokenizer.h"

namespace perigee {

// Keeps the parser's first complaint as "file:line:column: message".
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view file) : file_(file) {}

  void AddError(int line, int column, const std::string& message) override { Add(line, column, message); }
  void AddWarning(int line, int column, const std::string& message) override { Add(line, column, message); }

  void Add(int line, int column, std::string_view message) {
    if (!text_) text_ = fmt::format("{}:{}:{}: {}", file_, line + 1, column + 1, message);
  }
  absl::Status status() const { return text_ ? absl::InvalidArgumentError(*text_) : absl::OkStatus(); }

 private:
  std::string file_;
  std::optional<std::string> text_;
};

// One message of the file together with where its fields stand in the text.
class Located {
 public:
  Located(const google::protobuf::Message& message, const google::protobuf::TextFormat::ParseInfoTree* tree,
          FirstError* errors, google::protobuf::TextFormat::ParseLocation own = {0, 0})
      : message_(message), tree_(tree), errors_(errors), own_(own) {}

  // Reports at the field's own place, or at its message's when it was not written.
  void Error(const char* field, std::string_view text, int index = -1) const {
    const auto* descriptor = message_.GetDescriptor()->FindFieldByName(field);
    google::protobuf::TextFormat::ParseLocation at(-1, -1);
    if (tree_ != nullptr) at = tree_->GetLocation(descriptor, index);
    if (at.line < 0) at = own_;
    errors_->Add(at.line, at.column, fmt::format("{}: {}", field, text));
  }

  void RequireAtMost(const char* field, uint64_t value, uint64_t limit) const {
    if (value > limit) Error(field, fmt::format("{} is more than {}", value, limit));
  }

  // Whether the field stands in the text: for one whose zero means something.
  bool IsWritten(const char* field) const {
    const auto* descriptor = message_.GetDescriptor()->FindFieldByName(field);
    return tree_ != nullptr && tree_->GetLocation(descriptor, -1).line >= 0;
  }

  Located Child(const char* field, const google::protobuf::Message& child, int index = -1) const {
    const auto* descriptor = message_.GetDescriptor()->FindFieldByName(field);
    if (tree_ == nullptr) return Located(child, nullptr, errors_, own_);
    auto at = tree_->GetLocation(descriptor, index);
    if (at.line < 0) at = own_;
    return Located(child, tree_->GetTreeForNested(descriptor, index), errors_, at);
  }

 private:
  const google::protobuf::Message& message_;
  const google::protobuf::TextFormat::ParseInfoTree* tree_;
  FirstError* errors_;
  google::protobuf::TextFormat::ParseLocation own_;
};

}  // namespace perigee
