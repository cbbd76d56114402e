"""The accounts under test, their users, and the webhooks that Meta would send for them."""
import dataclasses
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts/mesh"))
import accounts  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Account:
    channel: str
    account_id: str
    mode: str  # queue_mode
    share: float  # of the conversations
    tenant: str = "dev"


ACCOUNTS = (Account("whatsapp", accounts.ACCOUNTS["whatsapp"], "followup", 0.4),
            Account("messenger", accounts.ACCOUNTS["messenger"], "followup", 0.15),
            Account("instagram", accounts.ACCOUNTS["instagram"], "followup", 0.15),
            Account("whatsapp", "100000000000004", "collect", 0.15, "other"),
            Account("whatsapp", "100000000000005", "interrupt", 0.15))
PART_LIMITS = {"whatsapp": 4096, "messenger": 2000, "instagram": 1000}  # longest text of one send; longer answers are split
DEBOUNCE_MS = 600  # of collect
NO_LIMITS = "    user_sends_per_second_max: 1000\n    user_burst_max: 1000\n    sends_per_second_max: 2000\n"
PAIR_LIMITS = "    user_sends_per_second_max: 2\n    user_burst_max: 3\n    sends_per_second_max: 2000\n"


@dataclasses.dataclass(frozen=True)
class User:
    user_id: str
    account: Account


def make(seed, count):
    """So many users, dealt to the accounts by their shares."""
    found, due = [], dict.fromkeys(ACCOUNTS, 0.0)
    for number in range(count):
        for account in ACCOUNTS:
            due[account] += account.share
        account = max(ACCOUNTS, key=lambda account: due[account])
        due[account] -= 1
        found.append(User(f"4917{seed % 10000:04d}{number:05d}", account))
    return found


def message_id(seed, user, number):
    return f"{'wamid.' if user.account.channel == 'whatsapp' else 'm_'}chaos{seed}.{user.user_id}.{number}"


def webhook_body(user, message_id, text, sent_at):
    """sent_at: seconds of the wall clock, the user's."""
    account = user.account
    if account.channel == "whatsapp":
        message = {"from": user.user_id, "id": message_id, "timestamp": str(int(sent_at)), "type": "text",
                   "text": {"body": text}}
        value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": account.account_id},
                 "contacts": [{"profile": {"name": "Chaos"}, "wa_id": user.user_id}], "messages": [message]}
        body = {"object": "whatsapp_business_account",
                "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
    else:
        sent_at_ms = int(sent_at * 1000)
        item = {"sender": {"id": user.user_id}, "recipient": {"id": account.account_id}, "timestamp": sent_at_ms,
                "message": {"mid": message_id, "text": text}}
        body = {"object": "page" if account.channel == "messenger" else "instagram",
                "entry": [{"id": account.account_id, "time": int(time.time() * 1000), "messaging": [item]}]}
    return json.dumps(body).encode()


def accounts_file(graph_url, settings):
    """settings: lines for every account. Where messages are gathered, answers of several parts meet the limit of one user too."""
    text = "accounts:\n"
    for account in ACCOUNTS:
        lines = accounts.entry(account.channel, account.account_id, graph_url, account.tenant).split("    answer_tokens_max")[0]
        limits = PAIR_LIMITS if account.mode == "collect" else NO_LIMITS
        text += lines + settings + limits + f"    queue_mode: {account.mode}\n"
        if account.mode == "collect":
            text += f"    debounce_ms: {DEBOUNCE_MS}\n"
    return text
