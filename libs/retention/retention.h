#pragma once

#include <chrono>

// For how long what delivery rests on is kept. No turn is lost, and none answered twice, because of how these times
// relate: whatever may still come, or be read again, must find what is remembered of it.
namespace retention {

using std::chrono::days;

// Meta sends a webhook again for so long (channels.md 1.3).
inline constexpr days kWebhookRetry{7};

// Records in `turns`, `replies`, `statuses` and `send-ledger`; which turns are finished; and what the senders remember
// of the ledger. So nothing that a user wrote longer ago is taken: it might have been answered.
inline constexpr days kLog{8};

// What session remembers beside the histories for whoever reads the log again: outcomes that wait for their turn, that
// a history was deleted, that a message was unsent, who has become whom.
inline constexpr days kMarkers{9};

// What an operator may put back from the log to be answered or sent after all.
inline constexpr days kReplay{7};

// Records in `parked`, `dead-letter` and `audit`, which wait for a person.
inline constexpr days kForOperators{30};

static_assert(kWebhookRetry < kLog, "a webhook that is sent again must find its turn");
static_assert(kLog < kMarkers, "a record that is read again must find what has become of its turn since");
static_assert(kReplay < kLog, "what is put back must find in the ledger that it was sent");
static_assert(kLog < kForOperators, "what was given up must outlive the records that name it");

}  // namespace retention
