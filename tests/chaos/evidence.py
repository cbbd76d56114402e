"""Collects what a run left behind: the logs of generator and screen, and the topics through a client of our own."""
import json
import time

import kafka
import kafka.admin

import generator
import history
import users
import wire
from checker import Evidence, Send

TOPICS = ("turns", "replies", "send-ledger", "dead-letter", "parked", "audit")
PREFIX = "mesh."
GROUPS = {"worker": "turns", "sender": "replies", "sender-statuses": "statuses"}
READ_S = 120


def unheard(run_dir, notice_text):
    """Ids of acknowledged messages of which the screens show nothing yet: no answer that has their own word, no notice, and,
    where a later message may take their place, no answer to such a one."""
    words, notices = set(), {}
    for send in sends(run_dir / "sends.jsonl"):
        if send.text == notice_text:
            notices[send.user] = notices.get(send.user, 0) + 1
        else:
            words.update(send.text.split())
    waiting = {}
    for message in generator.read_log(run_dir / "generator.jsonl"):
        answered = generator.own_word(message.text) in words
        if answered and message.mode != "followup":
            waiting.pop(message.user, None)
        elif not answered and message.acked_at:
            waiting.setdefault(message.user, []).append(message.message_id)
    return [message_id for user, messages in waiting.items() for message_id in messages[notices.get(user, 0):]]


def sends(path):
    """What users saw; a last line that is still being written is left out."""
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text().split("\n")[:-1]):
        row = json.loads(line)
        found.append(Send(number, row["ts_ms"] / 1000, row["user"], row["text"], row["reply_id"], row["in_reply_to"],
                          lost=row.get("lost", False)))
    return found


def records(broker, name):
    """Every record of a topic from its first offset to its present end."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, group_id=None,
                                   auto_offset_reset="earliest")
    try:
        numbers = consumer.partitions_for_topic(PREFIX + name) or set()
        partitions = [kafka.TopicPartition(PREFIX + name, number) for number in sorted(numbers)]
        if not partitions:
            return
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        deadline = time.monotonic() + READ_S
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{PREFIX}{name} could not be read within {READ_S} s")
            for batch in consumer.poll(timeout_ms=500).values():
                yield from batch
    finally:
        consumer.close()


def lag(broker):
    """Records of each partition that a group has not committed: "group topic/partition" -> count."""
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=broker)
    consumer = kafka.KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, group_id=None)
    found = {}
    try:
        for group, topic in GROUPS.items():
            numbers = consumer.partitions_for_topic(PREFIX + topic) or set()
            partitions = [kafka.TopicPartition(PREFIX + topic, number) for number in sorted(numbers)]
            begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
            committed = admin.list_group_offsets([PREFIX + group])[PREFIX + group]
            for partition in partitions:
                done = max(committed[partition].offset if partition in committed else -1, begins[partition])
                found[f"{PREFIX}{group} {partition.topic}/{partition.partition}"] = ends[partition] - done
    finally:
        consumer.close()
        admin.close()
    return found


def collect(run_dir, broker, redis_port, faults, lag_at_end):
    found = Evidence(messages=generator.read_log(run_dir / "generator.jsonl"), sends=sends(run_dir / "sends.jsonl"),
                     faults=faults, lag=lag_at_end)
    tenants = {account.account_id: account.tenant for account in users.ACCOUNTS}
    found.history = history.read(redis_port, {message.user: (tenants[message.account], message.channel, message.account)
                                              for message in found.messages})
    for name in TOPICS:
        for record in records(broker, name):
            t = record.timestamp / 1000
            try:
                if name == "turns":
                    found.turns.append(wire.turn(record.partition, record.offset, t, record.value))
                elif name in ("replies", "parked"):
                    where = found.replies if name == "replies" else found.parked
                    where.append(wire.reply(record.partition, record.offset, t, record.value))
                elif name == "send-ledger":
                    if record.value is not None:
                        found.ledger.append(wire.ledger(record.partition, record.offset, t, record.value))
                elif name == "dead-letter":
                    found.dead_letters.append(wire.dead_letter(t, record.value))
                else:
                    found.audit.append(record.value or b"")
            except wire.WireError as error:
                raise SystemExit(f"chaos: {name} {record.partition}/{record.offset} cannot be read: {error}") from None
    return found
