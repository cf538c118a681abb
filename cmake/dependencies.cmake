# Everything comes from Debian packages (scripts/deps). Nothing is downloaded at build time.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected QUIET)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)

# Asio as headers only, with the pieces that we do not use switched off to save compile time.
add_library(ica_asio INTERFACE)
target_link_libraries(ica_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(ica_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_STD_INVOKE_RESULT
                           BOOST_ASIO_DISABLE_VISIBILITY)
