#include "tools/cdnctl/report.h"

#include <google/protobuf/util/json_util.h>

namespace perigee::cdnctl {
namespace {

std::string Json(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = true;
  std::string text;
  // Fails only for what none of our messages holds, such as an Any of an unknown type.
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) { return Json(message, /*indented=*/true); }

std::string ToJsonLine(const google::protobuf::Message& message) {
  return Json(message, /*indented=*/false) + "\n";
}

std::string ErrorText(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return "no answer in time (--timeout)";
  if (status.message().empty()) return status.ToString();
  return std::string(status.message());
}

}  // namespace perigee::cdnctl
