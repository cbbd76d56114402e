#include "libs/session/internal/scripts.h"

#include "libs/base/str_cat.h"
#include "libs/session/internal/lua_sources.h"

namespace session::internal {

Scripts::Scripts()
    : append_turn("append_turn", base::StrCat(lua::record, lua::append_turn)),
      set_outcome("set_outcome", base::StrCat(lua::record, lua::set_outcome)),
      load_context("load_context", base::StrCat(lua::record, lua::load_context)),
      get_session("get_session", base::StrCat(lua::record, lua::get_session)),
      forget("forget", base::StrCat(lua::record, lua::forget)),
      link("link", lua::link),
      set_control("set_control", base::StrCat(lua::record, lua::set_control)),
      unsend("unsend", base::StrCat(lua::record, lua::unsend)),
      export_conversation("export_conversation", lua::export_conversation),
      import_conversation("import_conversation", base::StrCat(lua::record, lua::import_conversation)),
      mark_done("mark_done", base::StrCat(lua::done, lua::mark_done)),
      is_done("is_done", base::StrCat(lua::done, lua::is_done)) {}

}  // namespace session::internal
