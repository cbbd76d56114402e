"""The webhooks of tests/golden, cut into bodies of one item each, beside what our codecs understand of that item."""
import json
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "golden/webhooks"
BSUID = "US.13491208655302741918"


def names(channel):
    return sorted(path.name.removesuffix(".expected.json") for path in (FOLDER / channel).glob("*.expected.json"))


def one_item_bodies(channel, name):
    """[(body, our event)]; empty where the body cannot be cut, or not into as many items as we found events."""
    events = json.loads((FOLDER / channel / f"{name}.expected.json").read_bytes())["events"]
    try:
        body = json.loads((FOLDER / channel / f"{name}.json").read_bytes())
        items = whatsapp_items(body) if channel == "whatsapp" else messaging_items(body)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):  # bodies that are wrong on purpose
        return []
    return list(zip(items, events)) if len(items) == len(events) else []


def whatsapp_items(body):
    items = []
    for entry in body["entry"]:
        for change in entry["changes"]:
            value = change["value"]
            # Of `history` a message is a file of long ago: nobody says it now.
            for key in ("messages", "message_echoes", "statuses") if change["field"] != "history" else ():
                for item in value.get(key, []):
                    one = {name: value[name] for name in ("messaging_product", "errors") if name in value}
                    # pywa requires the number, which some payloads here leave out.
                    one["metadata"] = {"display_phone_number": "", **value.get("metadata", {})}
                    one["contacts"] = contacts_of(item, value)
                    one[key] = [item]
                    items.append({"object": body["object"], "entry": [
                        {"id": entry["id"], "changes": [{"field": change["field"], "value": one}]}]})
    return items


def contacts_of(item, value):
    """Since April 2026 Meta names every user by a business-scoped id too, with statuses and echoes as well. pywa requires
    it; most payloads here are older, and some are shorter than Meta's."""
    number = item.get("to") or item.get("from") or item.get("recipient_id")
    contacts = value.get("contacts") or ([{"wa_id": number}] if number or "status" in item else [])
    mine = [contact for contact in contacts if contact.get("wa_id") == number] or contacts
    return [{"user_id": item.get("recipient_user_id", BSUID), **contact} for contact in mine]


def messaging_items(body):
    return [{"object": part["object"], "entry": [{**entry, "messaging": [item]}]}
            for part in (body if isinstance(body, list) else [body]) for entry in part["entry"] for item in entry["messaging"]]
