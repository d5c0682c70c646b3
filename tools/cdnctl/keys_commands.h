// `cdnctl keys`: the subcommands that make and show a CDN's keys. They ask nobody.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/cdnctl/report.h"

namespace CLI {
class App;
}

namespace perigee::cdnctl {

class KeysCommands {
 public:
  // Declares `keys` in `app`. This must outlive the parsing.
  explicit KeysCommands(CLI::App& app);

  bool asked() const;
  // `coloured`: for a terminal.
  absl::StatusOr<Report> Run(Format format, bool coloured) const;

 private:
  void DeclareIssue(CLI::App* issue);

  const CLI::App* keys_ = nullptr;
  const CLI::App* init_ = nullptr;
  const CLI::App* issue_ = nullptr;
  const CLI::App* renew_ = nullptr;

  std::string folder_ = "cdn-keys", name_, role_;
  std::vector<std::string> addresses_, dns_names_, names_;
  int authority_days_ = 3650, days_ = 397, within_days_ = 60;
  bool force_ = false;
};

}  // namespace perigee::cdnctl
