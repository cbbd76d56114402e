"""What the gateway wrote on its topics, read with the fault harness's client and decoder, which the services do not use.
Field numbers are those of proto/bus/v1/bus.proto."""
import dataclasses
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import evidence  # noqa: E402
import wire  # noqa: E402


@dataclasses.dataclass
class Turn:
    type: str
    reply_to: str
    original: bytes
    files: list  # (type, id, mime_type, sha256 as bytes)


@dataclasses.dataclass(frozen=True)
class Status:
    message_id: str
    state: str
    tracker: str
    error_code: int


def last(message, number, default=b""):
    return message.get(number, [default])[-1]


def text(message, number):
    return last(message, number).decode()


def turns(broker):
    """By message id."""
    found = {}
    for record in evidence.records(broker, "turns"):
        message = wire.fields(record.value)
        files = [wire.fields(attachment) for attachment in message.get(7, [])]
        found[text(message, 3)] = Turn(text(message, 8), text(message, 9), last(message, 12),
                                       [(text(file, 1), text(file, 2), text(file, 4), last(file, 5)) for file in files])
    return found


def statuses(broker):
    found = set()
    for record in evidence.records(broker, "statuses"):
        message = wire.fields(record.value)
        found.add(Status(text(message, 2), wire.DELIVERY_STATES.get(last(message, 3, 0), ""), text(message, 4),
                         last(message, 7, 0)))
    return found
