#pragma once

#include <vector>

#include "common/codec/multiaddr.h"

namespace ica::p2p {

// What `listen` means in addresses that others can dial: unspecified ones (0.0.0.0, ::) become one
// for each interface of this machine that is up; those without TCP are left out, because nothing
// else is spoken.
std::vector<Multiaddr> concrete_addresses(const std::vector<Multiaddr>& listen);

// Whether `address` starts with a loopback IP.
bool is_loopback(const Multiaddr& address);
// Whether it starts with a DNS name.
bool is_name(const Multiaddr& address);

}  // namespace ica::p2p
