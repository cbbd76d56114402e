#!/usr/bin/env python3
"""How long the gateway takes to acknowledge a signed webhook, one at a time, on a mesh started by `make run`.

Usage: scripts/ack_latency.py [--count=300] [--pause-ms=20] [--run-dir=.run]
Posts status webhooks (they make no replies) over one keep-alive connection and prints percentiles in milliseconds.
"""
import argparse
import hashlib
import hmac
import http.client
import json
import pathlib
import re
import time
import urllib.parse

ACCOUNT = "100000000000001"


def status_body(number):
    status = {"id": f"wamid.latency{number}", "status": "delivered", "timestamp": str(int(time.time())),
              "recipient_id": "15550000000"}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": ACCOUNT}, "statuses": [status]}
    return json.dumps({"object": "whatsapp_business_account",
                       "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--pause-ms", type=float, default=20)
    parser.add_argument("--run-dir", type=pathlib.Path, default=pathlib.Path(".run"))
    options = parser.parse_args()
    secret = (options.run_dir / "secrets/whatsapp.app_secret").read_text().strip().encode()
    gateway = re.search(r'gateway_url: "([^"]+)"', (options.run_dir / "meshctl.yaml").read_text()).group(1)
    connection = http.client.HTTPConnection(urllib.parse.urlparse(gateway).netloc, timeout=10)
    times = []
    for number in range(options.count):
        body = status_body(number)
        headers = {"X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
                   "Content-Type": "application/json"}
        start = time.perf_counter()
        connection.request("POST", "/webhooks/whatsapp", body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - start) * 1000)
        if answer.status != 200:
            raise SystemExit(f"the gateway answered {answer.status}; is the mesh ready?")
        time.sleep(options.pause_ms / 1000)
    times.sort()
    print("  ".join(f"p{share}={times[min(len(times) - 1, len(times) * share // 100)]:.2f} ms" for share in (50, 90, 99)),
          f"  n={len(times)}")


main()
