"""Clients of Meta's APIs that others wrote (requirements.txt), each pointed at a server of ours."""
import sys
import types

try:
    import fbmessenger
    import fbmessenger.attachments
    import fbmessenger.elements
    import fbmessenger.quick_replies
    import httpx
    import pywa
except ImportError as error:
    sys.exit(f"{error}. Run: make foreign-clients, and set PYTHONPATH=.run/foreign-python")

NOBODY = "http://127.0.0.1:1"  # for a client that only reads
TIMEOUT_S = 30


def whatsapp(url=NOBODY, account="1", token="token", **options):
    """pywa's client. It names graph.facebook.com in its constructor, so the address changes after that."""
    client = pywa.WhatsApp(phone_id=account, token=token, session=httpx.Client(timeout=TIMEOUT_S), filter_updates=False,
                           skip_duplicate_updates=False, **options)
    client.api._session.base_url = f"{url}/v{pywa.utils.Version.GRAPH_API}"
    return client


def messenger(url=NOBODY, token="token"):
    """fbmessenger's client, whose way to name another server is an attribute too."""
    client = fbmessenger.MessengerClient(token, api_version="25.0")
    client.graph_url = f"{url}/v25.0"
    return client


def read_whatsapp(client, body):
    """The update that pywa makes of a webhook with one item, with the name of the handler that would have got it; None
    where it knows no handler. Raises what pywa raises."""
    update = pywa.types.RawUpdate(body, hmac_header=None, update_hash="")
    handler = client._get_handler_type(update)
    if handler is None:
        return None
    read = client._handlers_to_updates[handler].from_update(client=client, update=update)
    return types.SimpleNamespace(handler=handler.__name__.removesuffix("Handler"), update=read)


class MessengerReader(fbmessenger.BaseMessenger):
    """What fbmessenger finds in a webhook with one item: the name of its handler and the user's id."""

    def __init__(self):
        super().__init__("token")
        self.found = None

    def find(self, body):
        self.found = None
        self.handle(body)
        return self.found


def _remember(name):
    def handler(self, item):
        self.found = types.SimpleNamespace(handler=name, user=self.get_user_id(), item=item)
    return handler


for _name in ("account_linking", "message", "delivery", "optin", "postback", "read"):
    setattr(MessengerReader, _name, _remember(_name))
