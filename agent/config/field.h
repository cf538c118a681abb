#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "agent/config/config.h"

// The table from which loading, environment, init, `config show` and docs/configuration.md are
// made.
namespace ica::config {

// Values whose text form differs from their C++ type's usual one.
struct HexSecret {  // 64 hex digits
  Bytes* value;
};
struct Base64Key {  // protobuf of a private key
  Bytes* value;
};
struct AddressArray {  // a JSON array even for one address
  Addresses* value;
};
struct Credentials {
  std::optional<StringMap>* value;
};
struct Choice {  // one of a few words
  std::string* value;
  std::string_view words;  // "a|b"
};

// Where a setting is kept; its type decides the text form.
using Ref =
    std::variant<bool*, int*, uint64_t*, double*, Duration*, std::string*, Strings*, Multiaddr*,
                 Addresses*, AddressArray, StringMap*, std::map<std::string, Strings>*, Credentials,
                 PeerId*, TrustedPeers*, HexSecret, Base64Key, Choice>;

// For std::visit of a Ref: one lambda a form.
template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

// What a missing key means, as in the reference. Default also holds for an empty or zero value.
enum class Absent { Default, Zero };

enum class Check { None, Positive, NotNegative, NotZero, NotEmpty, AtLeast4096 };

// When the key is written.
enum class Write { Always, UnlessDefault };

struct Field {
  std::string_view key;  // below its section, nested ones with dots
  Ref (*ref)(Config&);
  Absent absent = Absent::Default;
  Write write = Write::Always;
  Check check = Check::None;
  std::string_view complaint = {};  // the error when the check fails, in the reference's words
  std::string_view meaning = {};    // for people: unit, formula, trade-off
  bool secret = false;              // masked when shown; also read from NAME_FILE
  bool ours = false;                // unknown to the reference
};

struct Section {
  std::string_view group;  // key of the object around it; empty for cluster and agent
  std::string_view key;
  std::string_view title;
  std::span<const Field> fields;
  bool* (*enabled)(Config&) = nullptr;       // sections that may be missing
  Status (*check)(const Config&) = nullptr;  // what concerns several fields
};

// In the order of the file.
std::span<const Section> sections();

// CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS for http_listen_multiaddress of restapi.
std::string env_name(const Section& section, const Field& field);

// "cluster.peername", "restapi.ssl_cert_file"
std::string path_of(const Section& section, const Field& field);

// The tables, one function a file.
std::span<const Section> cluster_sections();
std::span<const Section> api_sections();
std::span<const Section> component_sections();

}  // namespace ica::config

// The function that finds a setting in a Config.
#define ICA_REF(path) [](::ica::config::Config& c) -> ::ica::config::Ref { return &c.path; }
#define ICA_REF_AS(type, path) \
  [](::ica::config::Config& c) -> ::ica::config::Ref { return ::ica::config::type{&c.path}; }
