#include <limits>

#include "agent/config/env_text.h"
#include "agent/config/value.h"
#include "common/base/ascii.h"
#include "common/codec/multibase.h"

namespace ica::config {
namespace {

std::string_view json_kind(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "object";
    case Json::value_t::array:
      return "array";
    case Json::value_t::string:
      return "string";
    case Json::value_t::boolean:
      return "bool";
    default:
      return "number";
  }
}

tl::unexpected<Error> mismatch(const Json& json, std::string_view wanted) {
  return fail(Code::InvalidArgument, "found {} where {} is needed", json_kind(json), wanted);
}

Result<std::string> text_of(const Json& json) {
  if (!json.is_string()) {
    return mismatch(json, "a string");
  }
  return json.get<std::string>();
}

Result<Strings> texts_of(const Json& json) {
  if (!json.is_array()) {
    return mismatch(json, "an array of strings");
  }
  Strings texts;
  for (const auto& item : json) {
    TRY(auto text, text_of(item));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<Addresses> addresses_of(const Strings& texts) {
  Addresses addresses;
  for (const auto& text : texts) {
    TRY(auto address, Multiaddr::parse(text));
    addresses.push_back(std::move(address));
  }
  return addresses;
}

Result<int> int_of(int64_t value, std::string_view text) {
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    return fail(Code::InvalidArgument, "{}: value out of range", text);
  }
  return static_cast<int>(value);
}

Result<Bytes> secret_of(std::string_view text) {
  TRY(auto secret, base16_decode(text));
  if (!secret.empty() && secret.size() != 32) {
    return fail(Code::InvalidArgument, "input secret is {} bytes, cluster secret should be 32",
                secret.size());
  }
  return secret;
}

Result<TrustedPeers> trusted_of(const Strings& texts) {
  TrustedPeers trusted{.all = false, .peers = {}};
  for (const auto& text : texts) {
    if (text == "*") {
      return TrustedPeers{};
    }
    TRY(auto id, PeerId::parse(text));
    trusted.peers.push_back(std::move(id));
  }
  return trusted;
}

bool is_choice(std::string_view words, std::string_view word) {
  return !word.empty() && word.find('|') == std::string_view::npos &&
         fmt::format("|{}|", words).find(fmt::format("|{}|", word)) != std::string::npos;
}

// The value that a JSON text gives, of the type that the reference holds. An empty text or a zero
// is returned as nothing when the field then keeps its default.
class FromText {
 public:
  FromText(const Field& field, std::string_view text)
      : text_(text), keep_(field.absent == Absent::Default && text.empty()), field_(field) {}

  Status operator()(Duration* out) const {
    if (text_.empty()) {  // Go: leaves the field alone, whatever its default
      return {};
    }
    TRY(*out, parse_duration(text_));
    return {};
  }
  Status operator()(std::string* out) const {
    if (!keep_) {
      *out = text_;
    }
    return {};
  }
  Status operator()(Multiaddr* out) const {
    if (keep_) {
      return {};
    }
    TRY(*out, Multiaddr::parse(text_));
    return {};
  }
  Status operator()(PeerId* out) const {
    if (text_.empty()) {
      *out = PeerId();
      return {};
    }
    TRY(*out, PeerId::parse(text_));
    return {};
  }
  Status operator()(HexSecret out) const {
    TRY(*out.value, secret_of(text_));
    return {};
  }
  Status operator()(Base64Key out) const {
    TRY(*out.value, base64_decode(text_));
    return {};
  }
  Status operator()(Choice out) const {
    if (keep_) {
      return {};
    }
    if (!is_choice(out.words, text_)) {
      return fail(Code::InvalidArgument, "{}", field_.complaint);
    }
    *out.value = text_;
    return {};
  }

 private:
  std::string_view text_;
  bool keep_;
  const Field& field_;
};

template <typename T>
constexpr bool kHasTextForm = std::is_invocable_v<const FromText&, T>;

class FromJson {
 public:
  FromJson(const Field& field, const Json& json) : field_(field), json_(json) {}

  template <typename T>
    requires kHasTextForm<T>
  Status operator()(T out) const {
    TRY(const auto text, text_of(json_));
    return FromText(field_, text)(out);
  }
  Status operator()(bool* out) const {
    if (!json_.is_boolean()) {
      return mismatch(json_, "bool");
    }
    *out = json_.get<bool>();
    return {};
  }
  Status operator()(int* out) const {
    if (!json_.is_number_integer() ||
        (json_.is_number_unsigned() &&
         json_.get<uint64_t>() > uint64_t{std::numeric_limits<int>::max()})) {
      return json_.is_number() ? mismatch_number() : mismatch(json_, "a whole number");
    }
    TRY(const int value, int_of(json_.get<int64_t>(), json_.dump()));
    if (value != 0 || field_.absent == Absent::Zero) {
      *out = value;
    }
    return {};
  }
  Status operator()(uint64_t* out) const {
    if (!json_.is_number_unsigned()) {
      return json_.is_number() ? mismatch_number() : mismatch(json_, "a whole number");
    }
    const auto value = json_.get<uint64_t>();
    if (value != 0 || field_.absent == Absent::Zero) {
      *out = value;
    }
    return {};
  }
  Status operator()(double* out) const {
    if (!json_.is_number()) {
      return mismatch(json_, "a number");
    }
    *out = json_.get<double>();
    return {};
  }
  Status operator()(Strings* out) const {
    TRY(auto texts, texts_of(json_));
    if (!texts.empty() || field_.absent == Absent::Zero) {
      *out = std::move(texts);
    }
    return {};
  }
  Status operator()(Addresses* out) const {
    Strings texts;
    if (json_.is_array()) {
      TRY(texts, texts_of(json_));
    } else {
      TRY(auto text, text_of(json_));
      if (!text.empty()) {
        texts.push_back(std::move(text));
      }
    }
    TRY(auto addresses, addresses_of(texts));
    if (!addresses.empty() || field_.absent == Absent::Zero) {
      *out = std::move(addresses);
    }
    return {};
  }
  Status operator()(AddressArray out) const {
    TRY(const auto texts, texts_of(json_));
    TRY(*out.value, addresses_of(texts));
    return {};
  }
  Status operator()(StringMap* out) const {
    if (!json_.is_object()) {
      return mismatch(json_, "an object of strings");
    }
    StringMap map;
    for (const auto& [key, item] : json_.items()) {
      TRY(map[key], text_of(item));
    }
    *out = std::move(map);
    return {};
  }
  Status operator()(Credentials out) const {
    StringMap map;
    TRY_VOID((*this)(&map));
    *out.value = std::move(map);
    return {};
  }
  Status operator()(std::map<std::string, Strings>* out) const {
    if (!json_.is_object()) {
      return mismatch(json_, "an object of lists");
    }
    std::map<std::string, Strings> map;
    for (const auto& [key, item] : json_.items()) {
      TRY(map[key], texts_of(item));
    }
    *out = std::move(map);
    return {};
  }
  Status operator()(TrustedPeers* out) const {
    TRY(const auto texts, texts_of(json_));
    TRY(*out, trusted_of(texts));
    return {};
  }

 private:
  tl::unexpected<Error> mismatch_number() const {
    return fail(Code::InvalidArgument,
                "{} is not in the range of whole numbers that are possible here", json_.dump());
  }

  const Field& field_;
  const Json& json_;
};

class FromEnv {
 public:
  FromEnv(const Field& field, std::string_view text) : field_(field), text_(text) {}

  template <typename T>
    requires kHasTextForm<T>
  Status operator()(T out) const {
    return FromText(field_, text_)(out);
  }
  Status operator()(bool* out) const {
    TRY(*out, parse_bool(text_));
    return {};
  }
  Status operator()(int* out) const {
    TRY(const int64_t wide, parse_int(text_));
    TRY(const int value, int_of(wide, text_));
    if (value != 0 || field_.absent == Absent::Zero) {
      *out = value;
    }
    return {};
  }
  Status operator()(uint64_t* out) const {
    TRY(const uint64_t value, parse_uint(text_));
    if (value != 0 || field_.absent == Absent::Zero) {
      *out = value;
    }
    return {};
  }
  Status operator()(double* out) const {
    TRY(*out, parse_float(text_));
    return {};
  }
  Status operator()(Strings* out) const {
    auto items = parse_list(text_);
    if (!items.empty() || field_.absent == Absent::Zero) {
      *out = std::move(items);
    }
    return {};
  }
  Status operator()(Addresses* out) const {
    TRY(auto addresses, addresses_of(parse_list(text_)));
    if (!addresses.empty() || field_.absent == Absent::Zero) {
      *out = std::move(addresses);
    }
    return {};
  }
  Status operator()(AddressArray out) const {
    TRY(*out.value, addresses_of(parse_list(text_)));
    return {};
  }
  Status operator()(StringMap* out) const {
    TRY(auto items, parse_map(text_));
    StringMap map;
    for (auto& [key, value] : items) {
      map[key] = std::move(value);
    }
    *out = std::move(map);
    return {};
  }
  Status operator()(Credentials out) const {
    StringMap map;
    TRY_VOID((*this)(&map));
    *out.value = std::move(map);
    return {};
  }
  Status operator()(std::map<std::string, Strings>* out) const {
    TRY(auto items, parse_map(text_));
    std::map<std::string, Strings> map;
    for (auto& [key, value] : items) {
      map[key] = {std::move(value)};
    }
    *out = std::move(map);
    return {};
  }
  Status operator()(TrustedPeers* out) const {
    TRY(*out, trusted_of(parse_list(text_)));
    return {};
  }

 private:
  const Field& field_;
  std::string_view text_;
};

// "max_header_bytes" -> "MaxHeaderBytes": the Go field's name, which stands in envconfig's errors.
std::string go_name(std::string_view key) {
  key.remove_prefix(key.rfind('.') == std::string_view::npos ? 0 : key.rfind('.') + 1);
  std::string name;
  while (!key.empty()) {
    const size_t end = std::min(key.find('_'), key.size());
    std::string word(key.substr(0, end));
    const bool initials = word == "cors" || word == "https";
    for (size_t i = 0; i < (initials ? word.size() : 1) && i < word.size(); ++i) {
      word[i] = ascii_upper(word[i]);
    }
    name += word;
    key.remove_prefix(std::min(end + 1, key.size()));
  }
  return name;
}

// Types that envconfig converts itself; the others are strings to it, read later by the component.
std::string_view go_type(const Ref& ref) {
  return std::visit(Overload{[](bool*) { return std::string_view("bool"); },
                             [](int*) { return std::string_view("int"); },
                             [](uint64_t*) { return std::string_view("uint64"); },
                             [](double*) { return std::string_view("float64"); },
                             [](StringMap*) { return std::string_view("map[string]string"); },
                             [](Credentials) { return std::string_view("map[string]string"); },
                             [](std::map<std::string, Strings>*) {
                               return std::string_view("map[string][]string");
                             },
                             [](auto) { return std::string_view(); }},
                    ref);
}

// What the reference says in front of the reason. Its texts differ from section to section.
std::string parse_context(const Section& section, const Field& field) {
  const std::string path = path_of(section, field);
  static const std::map<std::string_view, std::string_view> kTexts = {
      {"cluster.secret", "error loading cluster secret from config"},
      {"cluster.listen_multiaddress", "error parsing listen_multiaddress"},
      {"cluster.announce_multiaddress", "error parsing announce"},
      {"cluster.no_announce_multiaddress", "error parsing no_announce"},
      {"cluster.peer_addresses", "error parsing peer_addresses"},
      {"crdt.trusted_peers", "error parsing trusted peers"},
      {"ipfsproxy.listen_multiaddress", "error parsing proxy listen_multiaddress"},
      {"ipfsproxy.node_multiaddress", "error parsing ipfs node_multiaddress"},
      {"ipfshttp.node_multiaddress", "error parsing ipfs_node_multiaddress"},
      {"restapi.private_key", "error decoding restapi.private_key"},
      {"pinsvcapi.private_key", "error decoding pinsvcapi.private_key"},
  };
  const auto found = kTexts.find(path);
  return found != kTexts.end() ? std::string(found->second) : fmt::format("error parsing {}", path);
}

bool is_complaint(const Field& field, const Status& status) {
  return !status && !field.complaint.empty() && status.error().message() == field.complaint;
}

// Takes the text apart only where a line may hold characters that the variable cannot.
Status credentials_from_lines(Credentials out, std::string_view text) {
  StringMap map;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (line.empty()) {
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return fail(Code::InvalidArgument, "a line is not of the form user:password");
    }
    map[std::string(line.substr(0, colon))] = line.substr(colon + 1);
  }
  *out.value = std::move(map);
  return {};
}

}  // namespace

Status value_from_json(const Section& section, const Field& field, const Json& json,
                       Config& config) {
  Status status = std::visit(FromJson(field, json), field.ref(config));
  if (status || is_complaint(field, status)) {
    return status;
  }
  return Status(status).context("{}", parse_context(section, field));
}

Status value_from_env(const Section& section, const Field& field, std::string_view text,
                      Config& config) {
  const Ref ref = field.ref(config);
  Status status = std::visit(FromEnv(field, text), ref);
  if (status || is_complaint(field, status)) {
    return status;
  }
  if (const auto type = go_type(ref); !type.empty()) {
    return fail(Code::InvalidArgument,
                "envconfig.Process: assigning {} to {}: converting '{}' to type {}. details: {}",
                env_name(section, field), go_name(field.key), field.secret ? "..." : text, type,
                status.error().message());
  }
  return Status(status).context("{}", parse_context(section, field));
}

Status value_from_file(const Section& section, const Field& field, std::string_view text,
                       Config& config) {
  const Ref ref = field.ref(config);
  if (const auto* credentials = std::get_if<Credentials>(&ref)) {
    return credentials_from_lines(*credentials, text);
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return value_from_env(section, field, text, config);
}

}  // namespace ica::config
