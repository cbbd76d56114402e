"""The development accounts of the local mesh: one for each channel, with secrets of their own in .run/secrets."""
import os
import re
import secrets

ACCOUNTS = {"whatsapp": "100000000000001", "messenger": "200000000000002", "instagram": "300000000000003"}
SECRETS = ("app_secret", "verify_token", "access_token")


def write_private(path, text):
    """Mode 0600 from the first byte on; an existing file is left alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def waba(channel):
    return '\n    waba_id: "100000000000009"' if channel == "whatsapp" else ""


def entry(channel, account_id, graph_url, tenant="dev"):
    return f"""  - tenant: {tenant}
    channel: {channel}
    account_id: "{account_id}"{waba(channel)}
    display_name: Development account ({channel})
    development: true
    app_secret_file: secrets/{channel}.app_secret
    verify_token_file: secrets/{channel}.verify_token
    access_token_file: secrets/{channel}.access_token
    graph_base_url: {graph_url}
    answer_tokens_max: 160
    repetition_penalty: 1.1
"""


def ensure(run_dir, graph_url):
    """Makes accounts.yaml and the secrets once; later starts only follow the fake Graph API to its port."""
    folder = run_dir / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for channel in ACCOUNTS:
        for name in SECRETS:
            write_private(folder / f"{channel}.{name}", secrets.token_hex(24) + "\n")
    path = run_dir / "accounts.yaml"
    if path.exists():
        text = path.read_text()
        moved = re.sub(r"graph_base_url: http://127\.0\.0\.1:\d+", f"graph_base_url: {graph_url}", text)
        if moved != text:
            path.write_text(moved)
    else:
        write_private(path, "# Development accounts, made by `make run`; yours to edit. Schema: docs/accounts.md\naccounts:\n"
                      + "".join(entry(channel, account, graph_url) for channel, account in ACCOUNTS.items()))
    return path
