#!/usr/bin/env python3
"""The fake Graph API takes what SDKs that others wrote send, and they understand its answers, errors included: so it is
like Meta's as far as they can tell."""
import logging
import tempfile
import unittest

import fake_graph_api
import recorder
import sdks
from fbmessenger import attachments, elements, quick_replies
from pywa import errors, types
from pywa.types import templates

USER = "16505551234"
BSUID = "US.13491208655302741918"
PNG = b"\x89PNG\r\n\x1a\n"


def setUpModule():
    global fake, gateway
    folder = tempfile.TemporaryDirectory(prefix="foreign-")
    unittest.addModuleCleanup(folder.cleanup)
    gateway = unittest.enterModuleContext(recorder.running())  # what a gateway would be told
    fake = unittest.enterModuleContext(fake_graph_api.running(folder.name, gateway.url))


def told(channel, message_id, count):
    """The first webhooks about a send."""
    return gateway.wait_for(lambda request: request.path == f"/webhooks/{channel}" and message_id.encode() in request.body, count)


class WhatsAppClientTest(unittest.TestCase):
    def setUp(self):
        self.account = fake_graph_api.accounts.ACCOUNTS["whatsapp"]
        self.pywa = sdks.whatsapp(fake.url, self.account, fake.token("whatsapp"), app_secret=fake.app_secret("whatsapp"))

    def test_text_is_shown_as_it_was_sent(self):
        sent = self.pywa.send_message(USER, "Grüße 👋", reply_to_message_id="wamid.Q", tracker="a1")
        self.assertEqual((sent.chat.id, sent.input, sent.from_phone_id), (USER, USER, self.account))
        shown = fake.sends(USER)[-1]
        self.assertEqual((shown["message_id"], shown["text"], shown["in_reply_to"], shown["reply_id"]),
                         (sent.id, "Grüße 👋", "wamid.Q", "a1"))

    def test_user_without_a_number(self):
        sent = self.pywa.send_message(BSUID, "hello")
        self.assertEqual(sent.chat.id, BSUID)
        self.assertEqual(fake.sends(BSUID)[-1]["message_id"], sent.id)

    def test_every_kind_of_message_is_taken(self):
        wa, reply_buttons = self.pywa, [types.Button("Yes", "y"), types.Button("No", "n")]
        rows = types.SectionList("Open", [types.Section("Sizes", [types.SectionRow("Small", "s", "to 30 cm")])])
        person = types.Contact(name=types.Contact.Name(formatted_name="Ada", first_name="Ada"))
        calls = {
            "buttons": lambda: wa.send_message(USER, "Sure?", buttons=reply_buttons),
            "list": lambda: wa.send_message(USER, "Which?", buttons=rows),
            "link button": lambda: wa.send_message(USER, "Look", buttons=types.URLButton("Open", "https://example.com")),
            "image by id": lambda: wa.send_image(USER, "1478394406693241", caption="this one"),
            "image by link": lambda: wa.send_image(USER, "https://example.com/a.png"),
            "image with buttons": lambda: wa.send_image(USER, "1478394406693241", caption="x", buttons=reply_buttons),
            "document": lambda: wa.send_document(USER, "https://example.com/a.pdf", filename="a.pdf"),
            "voice": lambda: wa.send_voice(USER, "1478394406693242"),
            "video": lambda: wa.send_video(USER, "1478394406693243"),
            "sticker": lambda: wa.send_sticker(USER, "1478394406693244"),
            "reaction": lambda: wa.send_reaction(USER, "👍", "wamid.Q"),
            "reaction removed": lambda: wa.remove_reaction(USER, "wamid.Q"),
            "location": lambda: wa.send_location(USER, 52.5, 13.4, "Gate", "Pariser Platz"),
            "contact": lambda: wa.send_contact(USER, person),
            "template": lambda: wa.send_template(USER, "welcome", templates.TemplateLanguage.ENGLISH_US,
                                                 params=[templates.BodyText.params("Ada")]),
        }
        for name, call in calls.items():
            with self.subTest(name):
                self.assertEqual(call().id, fake.sends(USER)[-1]["message_id"])

    def test_read_receipt_and_typing_show_nothing(self):
        before = len(fake.sends(USER))
        self.assertTrue(self.pywa.mark_message_as_read("wamid.Q").success)
        self.assertTrue(self.pywa.indicate_typing("wamid.Q").success)
        for call in (self.pywa.mark_message_as_read, self.pywa.indicate_typing):
            with self.assertRaises(errors.InvalidParameter):
                call("not a message's id")
        self.assertEqual([action["action"] for action in fake.actions() if action["message_id"] == "wamid.Q"], ["read", "typing"])
        self.assertEqual(len(fake.sends(USER)), before)

    def test_more_than_meta_takes_is_refused(self):
        buttons = [types.Button(str(number), str(number)) for number in range(4)]
        rows = [types.SectionRow(str(number), str(number)) for number in range(11)]
        with self.assertRaises(errors.InvalidParameter):
            self.pywa.send_message(USER, "x", buttons=buttons)
        with self.assertRaises(errors.InvalidParameter):
            self.pywa.send_message(USER, "x", buttons=types.SectionList("Open", [types.Section("s", rows)]))
        for text in ("", "x" * 4097):
            with self.assertRaises(errors.WhatsAppError) as caught:
                self.pywa.send_message(USER, text)
            self.assertEqual(caught.exception.code, 100)

    def test_file_is_uploaded_sent_and_described(self):
        uploaded = self.pywa.upload_media(PNG, "image/png", "a.png")
        described = self.pywa.get_media_url(uploaded.id)
        self.assertEqual((described.id, described.mime_type), (uploaded.id, "image/png"))
        file = self.pywa.get_media_bytes(url=described.url)
        self.assertTrue(file.startswith(PNG))
        self.assertEqual(len(file), int(described.file_size))
        self.assertEqual(self.pywa.send_image(USER, PNG, mime_type="image/png").id, fake.sends(USER)[-1]["message_id"])

    def test_missing_file(self):
        with self.assertRaises(errors.WhatsAppError) as caught:
            self.pywa.get_media_url("media-none")
        self.assertEqual(caught.exception.code, 100)

    def test_wrong_token_and_wrong_account(self):
        with self.assertRaises(errors.ExpiredAccessToken):
            sdks.whatsapp(fake.url, self.account, "stolen").send_message(USER, "x")
        with self.assertRaises(errors.WhatsAppError) as caught:
            sdks.whatsapp(fake.url, "999", fake.token("whatsapp")).send_message(USER, "x")
        self.assertEqual((caught.exception.code, caught.exception.subcode), (100, 33))

    def test_each_error_is_the_exception_that_pywa_has_for_it(self):
        for http_status, code, exception in (
                (400, 131047, errors.ReEngagementMessage), (400, 131026, errors.MessageUndeliverable),
                (400, 131056, errors.TooManyMessages), (429, 130429, errors.RateLimitHit),
                (400, 131048, errors.SpamRateLimitHit), (401, 190, errors.ExpiredAccessToken),
                (403, 10, errors.PermissionDenied), (403, 131031, errors.AccountLocked),
                (400, 131050, errors.UserStoppedMarketingMessages), (400, 131053, errors.MediaUploadError),
                (400, 131062, errors.BSUIDRecipientNotSupported), (403, 368, errors.TemporarilyBlocked)):
            with self.subTest(code):
                fake.refuse_next(http_status, code)
                with self.assertRaises(exception) as caught:
                    self.pywa.send_message(USER, "x")
                self.assertEqual(caught.exception.code, code)
                self.assertTrue(caught.exception.fbtrace_id)
                self.assertFalse(caught.exception.is_transient)
        fake.refuse_next(500, 131000)
        with self.assertRaises(errors.UnknownError) as caught:
            self.pywa.send_message(USER, "x")
        self.assertTrue(caught.exception.is_transient)

    def test_what_became_of_a_send(self):
        for user in (USER, BSUID):
            sent = self.pywa.send_message(user, "x", tracker="a2")
            statuses = []
            for webhook in told("whatsapp", sent.id, 2):
                self.assertIsNone(self.pywa.webhook_update_validator(webhook.body, webhook.headers["X-Hub-Signature-256"]))
                read = sdks.read_whatsapp(self.pywa, webhook.body)
                self.assertEqual((read.handler, read.update.id, read.update.tracker), ("MessageStatus", sent.id, "a2"))
                self.assertEqual(read.update.from_user.wa_id or read.update.from_user.bsuid, user)
                statuses.append(read.update.status.name)
            self.assertEqual(sorted(statuses), ["DELIVERED", "SENT"])

    def test_failure_without_an_error_object(self):
        fake.refuse_next(502, 0, with_error_object=False)
        with self.assertRaises(errors.WhatsAppError) as caught:
            self.pywa.send_message(USER, "x")
        self.assertEqual(caught.exception.code, 502)


class SendApiClientTest(unittest.TestCase):
    """fbmessenger against the accounts of Messenger and Instagram, which share the Send API."""

    def clients(self):
        return [(sdks.messenger(fake.url, fake.token(channel)), f"1254{channel}") for channel in ("messenger", "instagram")]

    def test_messages_are_taken(self):
        choices = quick_replies.QuickReplies([quick_replies.QuickReply("Red", "red")])
        for client, user in self.clients():
            for message in (elements.Text("hello"), elements.Text("Which?", quick_replies=choices),
                            attachments.Image(url="https://example.com/a.png")):
                answer = client.send(message.to_dict(), user)
                shown = fake.sends(user)[-1]
                self.assertEqual(answer, {"recipient_id": user, "message_id": shown["message_id"]})
                self.assertEqual(shown["text"], message.to_dict().get("text", ""))

    def test_actions_show_nothing(self):
        for client, user in self.clients():
            before = len(fake.sends(user))
            for action in ("typing_on", "typing_off", "mark_seen"):
                self.assertEqual(client.send_action(action, user), {"recipient_id": user})
                self.assertEqual(fake.actions(user)[-1]["action"], action)
            self.assertEqual(len(fake.sends(user)), before)

    def test_tagged_message_needs_its_tag(self):
        for client, user in self.clients():
            message = elements.Text("shipped").to_dict()
            self.assertIn("message_id", client.send(message, user, "MESSAGE_TAG", tag="POST_PURCHASE_UPDATE"))
            self.assertEqual(client.send(message, user, "MESSAGE_TAG")["error"]["code"], 100)

    def test_file_is_uploaded_and_sent(self):
        for client, user in self.clients():
            uploaded = client.upload_attachment(attachments.Image(url="https://example.com/a.png", is_reusable=True))
            again = attachments.Image(attachment_id=uploaded["attachment_id"])
            self.assertIn("message_id", client.send(again.to_dict(), user))

    def test_what_became_of_a_send(self):
        for client, user in self.clients():
            channel = user.removeprefix("1254")
            sent = client.send(elements.Text("x").to_dict(), user)
            webhooks = told(channel, sent["message_id"], 2)
            found = {sdks.MessengerReader().find(recorder.fields(webhook)).handler for webhook in webhooks}
            self.assertEqual(found, {"message", "delivery" if channel == "messenger" else "read"})  # the echo, and a receipt

    def test_errors(self):
        for client, user in self.clients():
            self.assertEqual(client.send(elements.Text("x" * 2001).to_dict(), user)["error"]["code"], 100)
            fake.refuse_next(400, 551)
            error = client.send(elements.Text("x").to_dict(), user)["error"]
            self.assertEqual((error["code"], error["type"]), (551, "OAuthException"))
            stolen = sdks.messenger(fake.url, "stolen")
            self.assertEqual(stolen.send(elements.Text("x").to_dict(), user)["error"]["code"], 190)


if __name__ == "__main__":
    logging.disable()
    unittest.main()
