// Asio's non-template code, compiled once for the whole library (BOOST_ASIO_SEPARATE_COMPILATION): it takes about half
// of the compile time and memory of each file that uses sockets.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
