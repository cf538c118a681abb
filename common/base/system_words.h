#pragma once

#include <string>

namespace ica {

// What the system says of an error, as Go prints it, which is without the capital: "no such file or
// directory". Thread-safety: any thread.
std::string system_words(int error);
std::string system_words(std::string text);

}  // namespace ica
