#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libs/crypto/secret.h"
#include "proto/bus/v1/bus.pb.h"

namespace account {

// One page or number of one tenant, as configured in accounts.yaml (schema: docs/accounts.md). Values, no behaviour.
struct Account {
  std::string tenant;
  mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_UNSPECIFIED;
  std::string account_id;  // WhatsApp phone_number_id, page id, Instagram account id
  std::string waba_id;     // WhatsApp Business Account of a number: its subscription and its events; empty: not told
  std::string display_name;
  bool development = false;  // made by `make run`; `--engine=echo` refuses accounts without this

  // Secrets, each read from a file. Two app secrets are valid during a rotation.
  std::vector<crypto::Secret> app_secrets;  // webhook signature
  crypto::Secret verify_token;              // webhook handshake
  crypto::Secret access_token;              // Graph API
  std::int64_t access_token_written_s = 0;  // modification time of its file, since the epoch; 0: not known

  std::string graph_base_url = "https://graph.facebook.com";
  std::string graph_version = "v25.0";
  std::string login;   // instagram | facebook; empty: told by graph_base_url. Ask login.h
  std::string app_id;  // of our Meta app, by which thread-control events and subscriptions name it; empty: not told
  bool subscription_repair = true;  // whether the exporter may subscribe the app again where it finds it unsubscribed

  std::string system_prompt;

  // Policies
  // Waiting for a full engine, and from then on generating and retrying, at most; then the answer ends with what it
  // has, or there is a notice.
  std::int32_t turn_deadline_s = 120;
  std::string notice_text = "Sorry, I could not answer this. Please try again in a moment.";
  // Said in place of an answer, like notice_text: by a service with more turns than it can answer in time, and to a
  // message that leaves no room for an answer in the model's context.
  std::string busy_text = "Sorry, too many people are writing right now. Please try again in a few minutes.";
  std::string too_long_text = "Sorry, this message is too long for me. Please send a shorter one.";
  std::string in_doubt_policy = "resend";  // resend | park
  std::string queue_mode = "followup";     // followup | interrupt | collect: a message while earlier ones wait or run
  std::int32_t debounce_ms = 1500;         // collect: messages no further apart than this become one turn
  std::string presence = "typing";         // off | read | typing: what users see of a message that is being answered
  std::string overflow_text;  // answer for a user with too many waiting messages; empty: the model answers the newest
  std::string unsupported_text;  // answer to a turn without text; empty: the model is told what came
  // Answer to a message of a type that nobody here can read, once in a row. Empty: nothing.
  std::string unreadable_text = "Sorry, I cannot read this kind of message yet. Could you write it as text?";

  // Who answers (docs/control.md). Words are as unicode::PlainWords makes them, each in one list only; a message that
  // is one of them changes who answers, and its text is said then. Empty text: nothing is.
  std::vector<std::string> handoff_words;
  std::vector<std::string> return_words;
  std::vector<std::string> opt_out_words = {"stop", "unsubscribe"};
  std::vector<std::string> opt_in_words = {"start"};
  std::string handoff_text = "Thank you. A person will answer you here.";
  std::string return_text = "You are talking to the assistant again.";
  std::string opt_out_text = "You will get no more messages here. Write START if you want to hear from us again.";
  std::string opt_in_text = "Welcome back. How can I help you?";
  std::string disclosure_text;         // before the first thing said, after a gap, after a handoff; empty: never
  std::int32_t disclosure_gap_h = 24;  // since the last turn that was answered
  std::vector<std::string> country_prefixes_off;  // WhatsApp: calling codes, digits, whose users nobody answers
  std::string country_off_text;                   // what they are told; empty: nothing

  // What is more than text, and when nothing may be said any more: docs/rich-answers.md
  bool rich_answers = false;                 // files, choices and reactions that the model writes are sent as such
  std::vector<std::string> rich_link_hosts;  // files from these hosts alone; lower case
  std::int32_t window_h = 24;                // after the user's last message nothing is sent; 0: the platform says so
  std::string reengage_template_name;        // WhatsApp, in place of an answer that came too late; empty: none
  std::string reengage_template_language;

  // Generation
  std::int32_t answer_tokens_max = 256;
  std::int32_t history_tokens_max = 1500;
  double temperature = 0.0;
  double top_p = 1.0;
  std::int32_t top_k = 0;
  double repetition_penalty = 1.0;

  // Limits of the sender, per account and per user (channels.md 3.3)
  double sends_per_second_max = 80;
  double user_sends_per_second_max = 1.0 / 6.0;
  std::int32_t user_burst_max = 45;
};

}  // namespace account
