#pragma once

#include <nlohmann/json.hpp>

#include "agent/config/field.h"
#include "common/base/json_writer.h"

// One setting between its three forms: C++ value, JSON value, environment text.
namespace ica::config {

using Json = nlohmann::ordered_json;

// Each leaves the value as it was when it fails. `field` gives the names in the message.
// Errors: InvalidArgument.
Status value_from_json(const Section& section, const Field& field, const Json& json,
                       Config& config);
Status value_from_env(const Section& section, const Field& field, std::string_view text,
                      Config& config);
// The contents of a *_FILE: as the variable, with line ends taken off; credentials one a line.
Status value_from_file(const Section& section, const Field& field, std::string_view text,
                       Config& config);

void value_to_json(const Field& field, const Config& config, JsonWriter& out);
bool values_equal(const Field& field, const Config& a, const Config& b);
// What Go has for a key that is not there.
void value_to_zero(const Field& field, Config& config);
// The check of the table.
Status check_value(const Field& field, const Config& config);

// "bool", "duration", "list", ...: for the documentation.
std::string_view type_name(const Field& field);

}  // namespace ica::config
