#!/usr/bin/env python3
"""The golden webhooks, read by SDKs that others wrote: they find in them what our codecs find. Ours stands in
*.expected.json, which the codecs' own tests compare with what they say."""
import json
import logging
import unittest
import warnings

import golden
import sdks

# Payloads that pywa raises on or cannot name, and why that says nothing about our codecs. It must read all others.
PYWA_REFUSES = {
    "contacts_request_without_from": "no contacts of the value: nobody to name as the sender",
    "image_not_downloadable": "pywa requires the sha256 of a file that Meta says it does not have",
    "interactive_call_permission_reply": "made shorter than Meta sends it; we only pass it on",
    "interactive_nfm_reply_invalid_json": "answers that are no JSON",
    "interactive_nfm_reply_not_an_object": "answers that are no object",
    "iso_timestamp": "another kind of time",
    "lone_surrogate": "half a character, which Python keeps and we replace",
    "message_without_account": "pywa does not ask for the account",
    "message_without_id": "an id of our own stands in",
    "order_without_text": "items without a price",
    "sticker_unreadable": "a sticker of which nothing came",
    "status_deleted": "a status that pywa does not know",
    "system_without_from": "pywa requires the old number",
    "text_sender_unresolvable": "several contacts and no sender: pywa takes the first, we do not guess",
    "timestamp_unusable": "a time that is none",
    "type_missing": "pywa requires a type",
    "unsupported_not_an_object": "a type that is none",
    "unsupported_without_sender": "no contacts of the value: nobody to name as the sender",
    "voice_old_shape": "a type of the On-Premises API, unknown to pywa",
}
KINDS = {"CallbackButton": "postback", "CallbackSelection": "postback", "FlowCompletion": "message", "EditedMessage": "event",
         "DeletedMessage": "event", "PhoneNumberChange": "event", "IdentityChange": "event", "OutgoingMessage": "echo"}
FILES = ("image", "video", "audio", "document", "sticker")
SAID = ("text", "location", "contacts", "order", *FILES)  # types of messages by which a user says something
DEEDS = ("edit", "poll_update")  # what a user did, among what Meta does not support


def kind_of(read):
    if read.handler == "MessageStatus":
        return "event" if read.update.status.value == "UNKNOWN" else "status"
    if read.handler == "Message" and read.update.chat.type.name == "PRIVATE":
        if read.update.type.value in ("unsupported", "unknown"):
            return "event" if read.update.unsupported and read.update.unsupported.type in DEEDS else "unreadable"
        return "message" if read.update.type.value in SAID else "event"
    if read.handler == "Message":
        return "event"
    return KINDS[read.handler]


def words_of(read):
    """(everything the model should read, parts that have to stand in it): one of them is None."""
    update = read.update
    if read.handler in ("CallbackButton", "CallbackSelection"):
        return update.title, None
    if read.handler == "FlowCompletion":
        return None, [str(answer) for answer in update.response.values() if isinstance(answer, str)]
    if read.handler == "EditedMessage":
        return update.message.text, None
    if read.handler not in ("Message", "OutgoingMessage"):
        return "", None
    if update.location:
        place = update.location
        return None, [word for word in (place.name, place.address) if word]
    if update.contacts:
        return None, [word for contact in update.contacts for word in (
            contact.name.formatted_name, *(phone.phone for phone in contact.phones), *(mail.email for mail in contact.emails))]
    if update.order:
        parts = [f"{product.quantity} x {product.sku} at {product.price} {product.currency}" for product in update.order.products]
        return None, [update.order.text, *parts]
    if update.reaction:
        return update.reaction.emoji or "", None
    product = update.reply_to_message and update.reply_to_message.referred_product
    if product:
        return None, [update.text or "", product.sku, str(product.catalog_id)]
    return update.text or update.caption or (update.document.filename if update.document else None) or "", None


class WhatsAppWebhooksTest(unittest.TestCase):
    def setUp(self):
        self.pywa = sdks.whatsapp()

    def test_pywa_finds_what_we_find(self):
        compared = 0
        for name in golden.names("whatsapp"):
            for body, ours in golden.one_item_bodies("whatsapp", name) if name not in PYWA_REFUSES else ():
                with self.subTest(name):
                    self.compare(body, ours)
                    compared += 1
        self.assertGreaterEqual(compared, 50)

    def test_pywa_still_refuses_what_is_excepted(self):
        for name in PYWA_REFUSES:
            pairs = golden.one_item_bodies("whatsapp", name)
            self.assertTrue(pairs, name)
            with self.subTest(name), self.assertRaises((LookupError, ValueError, TypeError, AssertionError)):
                for body, ours in pairs:
                    self.compare(body, ours)

    def compare(self, body, ours):
        read = sdks.read_whatsapp(self.pywa, json.dumps(body).encode())
        self.assertIsNotNone(read, "pywa has no handler for it")
        update = read.update
        self.assertEqual(str(update.id), ours["message_id"])
        self.assertEqual(int(update.timestamp.timestamp() * 1000), ours["timestamp_ms"])
        self.assertEqual(str(update.metadata.phone_number_id), ours["account"])
        self.assertIn(ours["kind"], (kind_of(read), "duplicate"))
        user = update.to_user if read.handler == "OutgoingMessage" else update.from_user
        self.assertEqual(str(user.wa_id or user.bsuid), ours["user"])
        whole, parts = words_of(read)
        if whole is not None:
            self.assertEqual(ours["text"], whole)
        for part in parts or ():
            self.assertIn(part, ours["text"])
        self.compare_file(update, ours)

    def compare_file(self, update, ours):
        media = next((getattr(update, name, None) for name in FILES if getattr(update, name, None)), None)
        if media is None:
            return
        [attachment] = ours["attachments"]
        self.assertEqual((attachment["type"], attachment["id"], attachment["mime_type"], attachment["url"] or None),
                         (update.type.value, str(media.id), media.mime_type, media.url))


# Items without a sender's id, which fbmessenger requires.
FBMESSENGER_REFUSES = {"optin_user_ref", "sender_missing", "wrong_types_inside"}


class MessagingWebhooksTest(unittest.TestCase):
    """fbmessenger tells apart the kinds of items and finds the user; the content it hands on as it came."""

    def test_fbmessenger_finds_what_we_find(self):
        for channel, at_least in (("messenger", 30), ("instagram", 15)):
            compared = 0
            for name in golden.names(channel):
                for body, ours in golden.one_item_bodies(channel, name):
                    with self.subTest(channel=channel, name=name):
                        compared += self.compare(name, body, ours)
            self.assertGreaterEqual(compared, at_least)

    def compare(self, name, body, ours):
        if name in FBMESSENGER_REFUSES:
            return 0
        found = sdks.MessengerReader().find(body)
        if found is None:  # fbmessenger knows no handler for it
            self.assertEqual(ours["kind"], "event")
            return 0
        message = found.item.get("message", {})
        flagged = "is_deleted" in message or "is_unsupported" in message or "is_echo" in message or "is_self" in message
        if found.handler == "message" and not flagged and (message.get("text") or message.get("attachments")):
            self.assertIn(ours["kind"], ("message", "duplicate") if is_readable(message) else ("unreadable",))
        elif found.handler == "message":
            self.assertIn(ours["kind"], ("event", "echo", "unreadable"))
        else:
            self.assertEqual(ours["kind"], {"postback": "postback", "delivery": "status", "read": "status",
                                            "optin": "event", "account_linking": "event"}[found.handler])
        # fbmessenger takes the sender for the user, also of an echo, which the account itself sent.
        of_user = found.item["recipient"]["id"] if ours["kind"] == "echo" and "is_echo" in message else found.user
        self.assertEqual(ours["user"], str(of_user))
        return 1


def is_readable(message):
    """Words, or an attachment of a type that Meta's reference names and that has content."""
    return bool(message.get("text")) or any(
        attachment["type"] not in ("unsupported_type", "ephemeral", "hologram") or attachment.get("title")
        for attachment in message["attachments"])


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore", sdks.pywa.errors.PywaWarning)
    unittest.main()
