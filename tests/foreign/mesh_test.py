#!/usr/bin/env python3
"""The whole mesh with the echo engine, between two SDKs that others wrote: its gateway takes exactly the webhooks whose
signature they accept, and what its sender posts is what they would have posted in its place."""
import base64
import hashlib
import hmac
import http.client
import json
import logging
import os
import pathlib
import re
import sys
import tempfile
import time
import types
import unittest
import urllib.parse

import golden
import recorded
import recorder
import sdks
import webhooks_test
from fbmessenger import attachments, elements, quick_replies
from pywa import types as pywa_types

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/mesh"))
import accounts  # noqa: E402
import process  # noqa: E402
import up  # noqa: E402

BIN_DIR = pathlib.Path(os.environ.get("MESH_BIN_DIR", ROOT / "build/bin"))
REQUEST_S = 60
USER = "16505551234"
PICTURE = "https://example.com/plan.png"
TEMPLATE = "answer_waits"
LATE_USER = "16505550025"


class Has(dict):
    """Equals a dictionary that has these items among others."""
    def __init__(self, **items):
        super().__init__(items)

    def __eq__(self, other):
        return self.items() <= other.items()

    __hash__ = None


class FreePorts(process.Ports):
    """Never the default ones, which a mesh of another test may be about to take."""

    def choose(self, name, default):
        self.taken.add(default)
        return super().choose(name, default)


def start_mesh(run_dir, graph_url):
    (run_dir / "kafka").mkdir()
    (run_dir / "kafka/libs").symlink_to((ROOT / ".run/kafka/libs").resolve())
    rich = "    rich_answers: true\n    rich_link_hosts: [example.com]\n    window_h: 24\n"
    late = {"whatsapp": f"    reengage_template: {{name: {TEMPLATE}, language: en_US}}\n"}
    entries = (accounts.entry(channel, account, graph_url) + rich + late.get(channel, "")
               for channel, account in accounts.ACCOUNTS.items())
    accounts.write_private(run_dir / "accounts.yaml", "accounts:\n" + "".join(entries))
    up.Ports = FreePorts
    mesh = up.Mesh(types.SimpleNamespace(run_dir=run_dir, bin_dir=BIN_DIR, engine="echo", worker_flag=[]))
    unittest.addModuleCleanup(mesh.stop)
    mesh.start()
    return mesh


def setUpModule():
    global graph, mesh
    folder = tempfile.TemporaryDirectory(prefix="foreign-mesh-")
    unittest.addModuleCleanup(folder.cleanup)
    graph = unittest.enterModuleContext(recorder.running())
    mesh = start_mesh(pathlib.Path(folder.name), graph.url)
    graph.upstream = mesh.url("fake Graph API")


def secret(channel, name):
    return (mesh.run_dir / f"secrets/{channel}.{name}").read_text().strip()


def signature(channel, body):
    return "sha256=" + hmac.new(secret(channel, "app_secret").encode(), body, hashlib.sha256).hexdigest()


def ask_gateway(method, target, body=None, headers=None):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(mesh.url("gateway")).netloc, timeout=REQUEST_S)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post(channel, body, header):
    headers = {"Content-Type": "application/json", **({"X-Hub-Signature-256": header} if header is not None else {})}
    return ask_gateway("POST", f"/webhooks/{channel}", body, headers)[0]


def golden_item(channel, name, account_id, account, changes):
    """A golden webhook, to this mesh's account and sent just now: what is old is not answered."""
    [(body, _)] = golden.one_item_bodies(channel, name)
    text = json.dumps(body).replace(account_id, account)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text.encode()


class WhatsAppMeshTest(unittest.TestCase):
    def setUp(self):
        self.account = accounts.ACCOUNTS["whatsapp"]
        self.pywa = sdks.whatsapp(graph.url, self.account, secret("whatsapp", "access_token"),
                                  verify_token=secret("whatsapp", "verify_token"), app_secret=secret("whatsapp", "app_secret"))

    def webhook(self, name, sent_at=None, user=USER):
        return golden_item("whatsapp", name, "106540352242922", self.account,
                           {"1749416383": str(int(sent_at or time.time())), USER: user})

    def our_send(self, **wanted):
        [request] = graph.wait_for(lambda request: request.path.endswith("/messages") and
                                   wanted.items() <= recorder.fields(request).items())
        self.assertTrue(request.path.endswith(f"/{self.account}/messages"))
        self.assertEqual(request.headers["Authorization"], "Bearer " + secret("whatsapp", "access_token"))
        return recorder.fields(request)

    def test_challenge(self):
        for token in (secret("whatsapp", "verify_token"), "another", ""):
            wanted, status = self.pywa.webhook_challenge_handler(token, "1158201444")
            query = urllib.parse.urlencode({"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": token})
            ours = ask_gateway("GET", f"/webhooks/whatsapp?{query}")
            self.assertEqual(ours[0], status)
            if status == 200:
                self.assertEqual(ours[1].decode(), wanted)

    def test_signature(self):
        body = self.webhook("status_sent")
        escaped = body.replace(b"whatsapp_business_account", rb"whatsapp\u005fbusiness_account")
        good = signature("whatsapp", body)
        for sent, header in ((body, good), (escaped, signature("whatsapp", escaped)), (escaped, good), (body + b" ", good),
                             (body, good[:-1] + ("0" if good[-1] != "0" else "1")), (body, "sha256="), (body, ""),
                             (body, signature("messenger", body)), (body, None)):
            with self.subTest(header=header, bytes=len(sent)):
                accepted = self.pywa.webhook_update_validator(sent, header) is None
                self.assertEqual(post("whatsapp", sent, header) == 200, accepted)

    def test_answer_is_what_pywa_would_send(self):
        body = self.webhook("text_escaped_unicode")
        header = signature("whatsapp", body)
        self.assertIsNone(self.pywa.webhook_update_validator(body, header))
        message = sdks.read_whatsapp(self.pywa, body).update
        self.assertEqual(post("whatsapp", body, header), 200)
        ours = self.our_send(type="text", to=USER, context={"message_id": message.id})
        self.assertIn(message.text, ours["text"]["body"])
        with self.subTest("as pywa sends it"):
            self.pywa.send_message(ours["to"], ours["text"]["body"], reply_to_message_id=message.id,
                                   tracker=ours["biz_opaque_callback_data"])
            theirs = recorder.fields(graph.wait_for(lambda request: "PyWa" in request.headers.get("User-Agent", "") and
                                                    "text" in recorder.fields(request))[0])
            theirs["text"].pop("preview_url")  # Meta's default
            self.assertEqual(ours, theirs)
        with self.subTest("read and typing"):
            typing = self.our_send(status="read", message_id=message.id)
            self.pywa.indicate_typing(message.id)
            self.pywa.mark_message_as_read(message.id)
            theirs = [recorder.fields(request) for request in graph.wait_for(
                lambda request: "PyWa" in request.headers.get("User-Agent", "") and
                recorder.fields(request).get("status") == "read", 2)]
            self.assertEqual(typing, theirs[0])
            self.assertEqual({name: typing[name] for name in theirs[1]}, theirs[1])
        with self.subTest("as pywa reads it"):
            self.assertEqual(self.read_as_echo(ours).text, ours["text"]["body"])

    def test_template_in_the_place_of_a_late_answer_is_what_pywa_would_send(self):
        """A webhook that Meta could not deliver for 25 hours: only a template may be said now."""
        body = self.webhook("text", time.time() - 25 * 3600, LATE_USER)
        self.assertEqual(post("whatsapp", body, signature("whatsapp", body)), 200)
        message = sdks.read_whatsapp(self.pywa, body).update
        ours = self.our_send(to=LATE_USER)
        self.pywa.send_template(LATE_USER, TEMPLATE, pywa_types.templates.TemplateLanguage.ENGLISH_US,
                                reply_to_message_id=message.id, tracker=ours["biz_opaque_callback_data"])
        self.compare(ours)
        with graph.arrived:
            sends = [recorder.fields(request) for request in graph.requests if request.path.endswith("/messages") and
                     "PyWa" not in request.headers.get("User-Agent", "")]
        self.assertEqual([send["type"] for send in sends if send.get("to") == LATE_USER], ["template"])

    def ask(self, message_id, text):
        """Posts a golden message with another id and text."""
        body = json.loads(self.webhook("text_escaped_unicode"))
        [message] = body["entry"][0]["changes"][0]["value"]["messages"]
        message["id"], message["text"]["body"] = message_id, text
        body = json.dumps(body).encode()
        self.assertEqual(post("whatsapp", body, signature("whatsapp", body)), 200)

    def compare(self, ours):
        """With what pywa sent for it."""
        sent = graph.wait_for(lambda request: "PyWa" in request.headers.get("User-Agent", "") and
                              recorder.fields(request).get("biz_opaque_callback_data") == ours["biz_opaque_callback_data"])
        self.assertEqual(ours, recorder.fields(sent[-1]))

    def test_what_is_more_than_text_is_what_pywa_would_send(self):
        buttons, rows = [pywa_types.Button("Yes", "1"), pywa_types.Button("No", "2")], "abcd"
        self.ask("wamid.rich.1", f"Look.\n\n![Plan]({PICTURE})\n\n```choices\nTea?\n- Yes\n- No\n```")
        self.ask("wamid.rich.2", "So.\n\n```react\n👍\n```\n\n```choices\nWhich?\n- " + "\n- ".join(rows) + "\n```")
        image, question = self.our_send(type="image"), self.our_send(type="interactive", interactive=Has(type="button"))
        reaction, listed = self.our_send(type="reaction"), self.our_send(type="interactive", interactive=Has(type="list"))
        with self.subTest("image"):
            self.pywa.send_image(USER, PICTURE, caption="Plan", tracker=image["biz_opaque_callback_data"])
            self.compare(image)
        with self.subTest("buttons"):
            self.pywa.send_message(USER, "Tea?", buttons=buttons, tracker=question["biz_opaque_callback_data"])
            self.compare(question)
        with self.subTest("reaction"):
            self.pywa.send_reaction(USER, "👍", "wamid.rich.2", tracker=reaction["biz_opaque_callback_data"])
            self.compare(reaction)
        with self.subTest("list"):
            section = pywa_types.Section("x", [pywa_types.SectionRow(title, str(at)) for at, title in enumerate(rows, 1)])
            self.pywa.send_message(USER, "Which?", buttons=pywa_types.SectionList("▼", [section]),
                                   tracker=listed["biz_opaque_callback_data"])
            listed["interactive"]["action"]["sections"][0]["title"] = "x"  # which pywa wants also of a single section
            self.compare(listed)

    def test_topics_hold_what_pywa_reads(self):
        """Of every golden webhook that pywa reads: what is said, and what became of a send."""
        read = [sdks.read_whatsapp(self.pywa, body) for body in self.post_all()]
        broker = f"127.0.0.1:{mesh.port['kafka']}"
        turns, statuses = recorded.turns(broker), recorded.statuses(broker)
        compared = 0
        for handler, update in ((one.handler, one.update) for one in read):
            if str(update.metadata.phone_number_id) != self.account:
                continue  # nobody's here
            with self.subTest(handler, id=update.id):
                if handler == "MessageStatus" and update.status.name != "UNKNOWN":
                    state = {"played": "read"}.get(update.status.name.lower(), update.status.name.lower())
                    error_code = update.error.code if update.error else 0
                    found = {status for status in statuses if status.message_id == update.id}
                    self.assertIn(recorded.Status(update.id, state, update.tracker or "", error_code), found)
                    compared += 1
                elif handler in ("Message", "CallbackButton", "CallbackSelection", "FlowCompletion"):
                    self.compare_turn(update, turns[str(update.id)])
                    compared += 1
        self.assertGreaterEqual(compared, 40)

    def post_all(self):
        """Posts the golden webhooks as those of another user, sent just now, with the digests that real ones have."""
        digest = base64.b64encode(hashlib.sha256(b"a file").digest()).decode()
        posted = []
        for name in golden.names("whatsapp"):
            for body, _ in golden.one_item_bodies("whatsapp", name) if name not in webhooks_test.PYWA_REFUSES else ():
                text = json.dumps(body).replace("106540352242922", self.account).replace("wamid.", "wamid.T.")
                text = re.sub('"sha256": "[^"]*"', f'"sha256": "{digest}"', text.replace(USER, "16505550000"))
                text = re.sub(r'("timestamp": "?)\d{10}', rf"\g<1>{int(time.time())}", text)  # a number in one of them
                self.assertEqual(post("whatsapp", text.encode(), signature("whatsapp", text.encode())), 200, name)
                posted.append(text.encode())
        return posted

    def compare_turn(self, update, turn):
        if update.type.name != "UNKNOWN":
            self.assertEqual(turn.type, update.type.value)
        reaction = getattr(update, "reaction", None)
        replied_to = reaction.message_id if reaction else update.reply_to_message and update.reply_to_message.message_id
        self.assertEqual(turn.reply_to, replied_to or "")
        if hasattr(update, "data"):  # of a button or a row
            self.assertIn(update.data.encode(), turn.original)
        media = getattr(update, "media", None)
        if media:
            self.assertEqual(turn.files, [(turn.type, str(media.id), media.mime_type, base64.b64decode(media.sha256))])

    def read_as_echo(self, send):
        """Meta shows a send to other apps as an echo: the same content in another envelope."""
        echo = {"from": "15550783881", "to": send["to"], "id": "wamid.ECHO", "timestamp": str(int(time.time())),
                "type": send["type"], send["type"]: send[send["type"]]}
        value = {"messaging_product": "whatsapp", "metadata": {"display_phone_number": "", "phone_number_id": self.account},
                 "contacts": [{"wa_id": send["to"], "user_id": golden.BSUID}], "message_echoes": [echo]}
        return sdks.read_whatsapp(self.pywa, json.dumps({"object": "whatsapp_business_account", "entry": [
            {"id": "1", "changes": [{"field": "smb_message_echoes", "value": value}]}]}).encode()).update


class SendApiMeshTest(unittest.TestCase):
    def check(self, channel, webhook):
        item = sdks.MessengerReader().find(json.loads(webhook))
        self.assertEqual(post(channel, webhook, signature(channel, webhook)), 200)
        [request] = graph.wait_for(lambda request: request.path.endswith("/messages") and
                                   "message" in self.about(request, item.user))
        ours = recorder.fields(request)
        self.assertIn(item.item["message"]["text"], ours["message"]["text"])
        self.assertEqual(request.headers["Authorization"], "Bearer " + secret(channel, "access_token"))
        client = sdks.messenger(graph.url, secret(channel, "access_token"))
        answer = client.send(elements.Text(ours["message"]["text"]).to_dict(), item.user, ours.get("messaging_type", "RESPONSE"))
        self.assertIn("message_id", answer)
        theirs = recorder.fields(graph.wait_for(lambda request: "requests" in request.headers.get("User-Agent", "") and
                                                "message" in self.about(request, item.user))[0])
        theirs.pop("notification_type")  # Meta's default
        self.check_actions(client, item.user)
        return ours, theirs

    def about(self, request, user):
        """The fields of a send or action to that user."""
        fields = recorder.fields(request) if request.path.endswith("/messages") else {}
        return fields if fields.get("recipient") == {"id": user} else {}

    def check_actions(self, client, user):
        for action in ("mark_seen", "typing_on"):
            self.assertEqual(client.send_action(action, user), {"recipient_id": user})
            both = graph.wait_for(lambda request: self.about(request, user).get("sender_action") == action, 2)
            self.assertEqual(len({"requests" in request.headers.get("User-Agent", "") for request in both}), 2)
            self.assertEqual(*(recorder.fields(request) for request in both))

    def test_what_is_more_than_text_is_what_fbmessenger_would_send(self):
        picture = attachments.Image(url=PICTURE)
        question = elements.Text("Tea?", quick_replies=quick_replies.QuickReplies(
            [quick_replies.QuickReply("Yes", "1"), quick_replies.QuickReply("No", "2")]))
        for channel, webhook_account in (("messenger", "682498302938465"), ("instagram", "17841405822304914")):
            webhook = golden_item(channel, "text", webhook_account, accounts.ACCOUNTS[channel], {})
            body = json.loads(webhook)
            [item] = body["entry"][0]["messaging"]
            item["timestamp"], item["sender"]["id"] = int(time.time() * 1000), f"rich-{channel}"
            item["message"].update(mid="m_rich", text=f"Look.\n\n![]({PICTURE})\n\n```choices\nTea?\n- Yes\n- No\n```")
            webhook = json.dumps(body).encode()
            self.assertEqual(post(channel, webhook, signature(channel, webhook)), 200)
            for key, theirs in (("attachment", picture), ("quick_replies", question)):
                with self.subTest(key, channel=channel):
                    [request] = graph.wait_for(
                        lambda request: request.path.endswith("/messages") and
                        recorder.fields(request).get("recipient") == {"id": f"rich-{channel}"} and
                        key in recorder.fields(request).get("message", {}))
                    message = recorder.fields(request)["message"]
                    message.pop("metadata", None)
                    self.assertEqual(message, theirs.to_dict())

    def test_messenger(self):
        now_ms = str(int(time.time() * 1000))
        webhook = golden_item("messenger", "text", "682498302938465", accounts.ACCOUNTS["messenger"],
                              {"1502905976377": now_ms, "1502905976963": now_ms})
        ours, theirs = self.check("messenger", webhook)
        self.assertTrue(ours["message"].pop("metadata"))  # which fbmessenger has no field for
        self.assertEqual(ours, theirs)

    def test_instagram(self):
        now_ms = str(int(time.time() * 1000))
        webhook = golden_item("instagram", "text", "17841405822304914", accounts.ACCOUNTS["instagram"],
                              {"1502905976963": now_ms, "1569262486134": now_ms})
        ours, theirs = self.check("instagram", webhook)
        theirs.pop("messaging_type")  # of Messenger alone
        self.assertEqual(ours, theirs)


if __name__ == "__main__":
    logging.disable()
    unittest.main()
