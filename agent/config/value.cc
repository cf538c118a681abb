#include "agent/config/value.h"

#include "common/codec/multibase.h"

namespace ica::config {
namespace {

// Only reads through the result, so that the tables need one accessor instead of two.
Ref ref_of(const Field& field, const Config& config) {
  return field.ref(const_cast<Config&>(config));
}

}  // namespace

void value_to_json(const Field& field, const Config& config, JsonWriter& out) {
  const auto texts = [&out](const Strings& items) {
    out.begin_array();
    for (const auto& item : items) {
      out.string(item);
    }
    out.end_array();
  };
  const auto array = [&out](const auto& items) {
    out.begin_array();
    for (const auto& item : items) {
      out.string(item.text());
    }
    out.end_array();
  };
  const auto map = [&out](const StringMap& items) {
    out.begin_object();
    for (const auto& [key, value] : items) {
      out.key(key).string(value);
    }
    out.end_object();
  };
  std::visit(Overload{[&](bool* v) { out.boolean(*v); }, [&](int* v) { out.number(*v); },
                      [&](uint64_t* v) { out.number(*v); }, [&](double* v) { out.number(*v); },
                      [&](Duration* v) { out.string(format_duration(*v)); },
                      [&](std::string* v) { out.string(*v); }, [&](Strings* v) { texts(*v); },
                      [&](Multiaddr* v) { out.string(v->text()); },
                      [&](Addresses* v) {
                        if (v->size() == 1) {
                          out.string(v->front().text());
                        } else {
                          array(*v);
                        }
                      },
                      [&](AddressArray v) { array(*v.value); }, [&](StringMap* v) { map(*v); },
                      [&](std::map<std::string, Strings>* v) {
                        out.begin_object();
                        for (const auto& [key, values] : *v) {
                          out.key(key);
                          texts(values);
                        }
                        out.end_object();
                      },
                      [&](Credentials v) {
                        if (*v.value) {
                          map(**v.value);
                        } else {
                          out.null();
                        }
                      },
                      [&](PeerId* v) { out.string(v->text()); },
                      [&](TrustedPeers* v) {
                        if (v->all) {
                          texts({"*"});
                        } else {
                          array(v->peers);
                        }
                      },
                      [&](HexSecret v) { out.string(base16(*v.value)); },
                      [&](Base64Key v) { out.string(base64(*v.value)); },
                      [&](Choice v) { out.string(*v.value); }},
             ref_of(field, config));
}

bool values_equal(const Field& field, const Config& a, const Config& b) {
  std::string left;
  std::string right;
  JsonWriter left_writer(left);
  JsonWriter right_writer(right);
  value_to_json(field, a, left_writer);
  value_to_json(field, b, right_writer);
  return left == right;
}

void value_to_zero(const Field& field, Config& config) {
  std::visit(Overload{[](HexSecret v) { v.value->clear(); }, [](Base64Key v) { v.value->clear(); },
                      [](AddressArray v) { v.value->clear(); },
                      [](Credentials v) { v.value->reset(); }, [](Choice v) { v.value->clear(); },
                      [](TrustedPeers* v) { *v = TrustedPeers{.all = false, .peers = {}}; },
                      [](auto* v) { *v = {}; }},
             field.ref(config));
}

Status check_value(const Field& field, const Config& config) {
  const Ref ref = ref_of(field, config);
  const int64_t number =
      std::visit(Overload{[](int* v) { return static_cast<int64_t>(*v); },
                          [](Duration* v) { return static_cast<int64_t>(v->count()); },
                          [](double* v) { return static_cast<int64_t>(*v < 0 ? -1 : *v > 0); },
                          [](auto) { return int64_t{0}; }},
                 ref);
  const bool empty = std::visit(
      Overload{[](std::string* v) { return v->empty(); }, [](Strings* v) { return v->empty(); },
               [](Addresses* v) { return v->empty(); }, [](Multiaddr* v) { return v->empty(); },
               [](auto) { return false; }},
      ref);
  bool good = true;
  switch (field.check) {
    case Check::None:
      break;
    case Check::Positive:
      good = number > 0;
      break;
    case Check::NotNegative:
      good = number >= 0;
      break;
    case Check::NotZero:
      good = number != 0;
      break;
    case Check::NotEmpty:
      good = !empty;
      break;
    case Check::AtLeast4096:
      good = number >= 4096;
      break;
  }
  return good ? Status() : fail(Code::InvalidArgument, "{}", field.complaint);
}

std::string_view type_name(const Field& field) {
  Config scratch;
  return std::visit(
      Overload{[](bool*) { return std::string_view("bool"); },
               [](int*) { return std::string_view("int"); },
               [](uint64_t*) { return std::string_view("uint64"); },
               [](double*) { return std::string_view("number"); },
               [](Duration*) { return std::string_view("duration"); },
               [](Strings*) { return std::string_view("list"); },
               [](Addresses*) { return std::string_view("address or list"); },
               [](AddressArray) { return std::string_view("list of addresses"); },
               [](Multiaddr*) { return std::string_view("address"); },
               [](TrustedPeers*) { return std::string_view("list of peer IDs"); },
               [](StringMap*) { return std::string_view("map"); },
               [](Credentials) { return std::string_view("map"); },
               [](std::map<std::string, Strings>*) { return std::string_view("map of lists"); },
               [](Choice v) { return v.words; },
               [](PeerId*) { return std::string_view("peer ID"); },
               [](HexSecret) { return std::string_view("hex"); },
               [](Base64Key) { return std::string_view("base64"); },
               [](std::string*) { return std::string_view("string"); }},
      field.ref(scratch));
}

}  // namespace ica::config
