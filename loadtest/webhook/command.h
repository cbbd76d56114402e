#pragma once

namespace loadtest {

// `loadtest webhook`: signed webhooks against a gateway; how many are acknowledged, and how soon.
int RunWebhook(int argc, const char* const* argv);

}  // namespace loadtest
