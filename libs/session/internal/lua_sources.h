#pragma once

#include <string_view>

// The texts of libs/session/scripts/*.lua, under their file names. Defined in a source that CMake makes from those
// files.
namespace session::internal::lua {

extern const std::string_view record;
extern const std::string_view append_turn;
extern const std::string_view set_outcome;
extern const std::string_view load_context;
extern const std::string_view get_session;
extern const std::string_view forget;
extern const std::string_view link;
extern const std::string_view set_control;
extern const std::string_view unsend;
extern const std::string_view export_conversation;
extern const std::string_view import_conversation;
extern const std::string_view done;
extern const std::string_view mark_done;
extern const std::string_view is_done;

}  // namespace session::internal::lua
