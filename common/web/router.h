#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ica::web {

using PathVars = std::map<std::string, std::string, std::less<>>;  // decoded

// Finds the route of a request by the rules of gorilla/mux as the reference uses it. Patterns are
// made of segments: text, {name} for one segment, {name:a|b} for one of some words, {name...} for
// the rest. Thread-safety: const after the last add().
class Router {
 public:
  enum class Outcome { Found, NotFound, MethodNotAllowed };
  struct Match {
    Outcome outcome = Outcome::NotFound;
    size_t route = 0;  // what add() returned
    PathVars vars;
  };

  // The order of the calls counts: see match().
  size_t add(std::string method, std::string_view pattern);

  // `path` is decoded. A known path with a wrong method is MethodNotAllowed only when no route that
  // was added after the last one with this path takes the method; else it is NotFound.
  Match match(std::string_view method, std::string_view path) const;

 private:
  struct Segment {
    enum class Kind { Text, One, OneOf, Rest } kind = Kind::Text;
    std::string text;  // or the variable's name
    std::vector<std::string> words;
  };
  struct Route {
    std::string method;
    std::vector<Segment> segments;
  };
  static bool fits(const Route& route, std::string_view path, PathVars& vars);

  std::vector<Route> routes_;
};

}  // namespace ica::web
