#include "tools/cdnctl/keys_commands.h"

#include <chrono>

#include "CLI/CLI.hpp"
#include "tools/cdnctl/keys.h"

namespace perigee::cdnctl {
namespace {

constexpr int kMostDays = 36'500;

constexpr char kExamples[] =
    "The folder NAME in it is what a host is given: ca.pem, cert.pem and key.pem. Programs that run read "
    "them "
    "again by\n"
    "themselves, within five seconds; put the three in place at once.\n\n"
    "Examples:\n"
    "  cdnctl keys init                                                     the authority, once\n"
    "  cdnctl keys issue ns1 --role director --address 192.0.2.1\n"
    "  cdnctl keys issue dublin --role replica --address 192.0.2.10 --address 2001:db8::10\n"
    "  cdnctl keys issue alice --role operator                              cdnctl --identity cdn-keys/alice "
    "…\n"
    "  cdnctl keys renew                                                    those that end within 60 days\n"
    "  cdnctl keys show";

absl::StatusOr<Report> Show(const absl::StatusOr<v1::Key>& key, const std::string& folder, Format format) {
  if (!key.ok()) return key.status();
  if (format == Format::kTable) return Report{KeyText(*key, folder)};
  v1::KeysReport report;
  *report.add_keys() = *key;
  return Report{ToJson(report)};
}

}  // namespace

KeysCommands::KeysCommands(CLI::App& app) {
  CLI::App* keys =
      app.add_subcommand("keys", "The CDN's authority, and a key and a certificate for each host");
  keys->footer(kExamples);
  keys->fallthrough();
  keys->require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    CLI::App* command = keys->add_subcommand(name, help);
    command->fallthrough();
    command->add_option("--keys", folder_, "The folder of the keys")->capture_default_str();
    return command;
  };
  const auto add_days = [](CLI::App* command, const char* name, int& days, const char* help) {
    command->add_option(name, days, help)->check(CLI::Range(1, kMostDays))->capture_default_str();
  };
  CLI::App* init = add("init", "Makes the authority; its key stays in the folder, and signs all others");
  add_days(init, "--days", authority_days_, "How long it lasts");
  CLI::App* issue = add("issue", "Makes a key and its certificate; one that says the same is kept");
  DeclareIssue(issue);
  CLI::App* renew = add("renew", "Makes new keys whose certificates say what the old ones said");
  renew->add_option("name", names_, "Whose; without any, those that end soon or are of an earlier authority");
  add_days(renew, "--within", within_days_, "How many days soon is");
  add("show", "All, and when they expire");
  for (CLI::App* command : {init, issue})
    command->add_flag("--force", force_, "Replace what is there and says something else");
  for (CLI::App* command : {issue, renew})
    add_days(command, "--days", days_, "How long the certificate lasts");
  keys_ = keys;
  init_ = init;
  issue_ = issue;
  renew_ = renew;
}

void KeysCommands::DeclareIssue(CLI::App* issue) {
  issue->add_option("name", name_, "A replica's name in the fleet file, or any other")->required();
  issue
      ->add_option(
          "--role", role_,
          "What its holder may do: replica (is called, calls nobody), director (measures, and looks), "
          "operator (everything)")
      ->required()
      ->check(CLI::IsMember({"replica", "director", "operator"}));
  issue->add_option("--address", addresses_, "An IP address of the host; may be repeated")
      ->take_all()
      ->expected(1);
  issue->add_option("--dns", dns_names_, "A DNS name of the host; may be repeated")->take_all()->expected(1);
}

bool KeysCommands::asked() const { return keys_->parsed(); }

absl::StatusOr<Report> KeysCommands::Run(Format format, bool coloured) const {
  const WallTime now = std::chrono::system_clock::now();
  const KeyFolder folder(folder_, now);
  const std::chrono::days life(days_);
  if (*init_) return Show(folder.Init(std::chrono::days(authority_days_), force_), folder_, format);
  if (*issue_) {
    KeyFolder::Wanted wanted{
        .name = name_, .role = *RoleFromWord(role_), .addresses = {}, .dns_names = dns_names_};
    for (const std::string& text : addresses_) {
      const auto address = IpAddress::Parse(text);
      if (!address.ok()) return address.status();
      wanted.addresses.push_back(*address);
    }
    return Show(folder.Issue(wanted, life, force_), folder_, format);
  }
  const auto report = *renew_ ? folder.Renew(names_, std::chrono::days(within_days_), life) : folder.Show();
  if (!report.ok()) return report.status();
  if (format == Format::kJson) return Report{ToJson(*report)};
  if (!*renew_) return Report{KeysTable(*report, now, coloured)};
  Report text;
  for (const v1::Key& key : report->keys()) text.text += KeyText(key, folder_);
  return text;
}

}  // namespace perigee::cdnctl
