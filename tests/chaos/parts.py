"""Puts the parts of long replies together again, so that the rest of the checker judges replies; what is wrong with the parts
stands in the Send that comes out. A part is known by its words: the generator never writes the same long text twice."""
import dataclasses

LIMIT_MIN = 1000  # bytes; no channel splits what is shorter


def squeezed(text):
    """What every screen shows of a text: white space is dropped at a cut, and marks are written as the channel wants them."""
    return "".join(letter for letter in text if letter.isalnum() or letter in ".,:;!?")


class _Reply:
    """One reply on one screen, as far as it has been shown."""

    def __init__(self, text, whole):
        self.text, self.whole = text, whole
        self.shown = 0  # characters of `whole`
        self.parts, self.mistakes = [], []

    def take(self, send, interrupted):
        piece = squeezed(send.text)
        at = self.whole.find(piece)
        if interrupted:
            self.mistakes.append(("reordered", f"something else was shown before the part {send.text[:40]!r}"))
        if at < self.shown:
            self.mistakes.append(("duplicate", f"the part {send.text[:40]!r} was shown again"))
        elif at > self.shown:
            self.mistakes.append(("lost", f"{at - self.shown} characters are missing before {send.text[:40]!r}"))
        self.shown = max(self.shown, at + len(piece))
        self.parts.append(send)

    @property
    def complete(self):
        return self.shown == len(self.whole)

    def as_send(self):
        mistakes = self.mistakes + [mistake for part in self.parts for mistake in part.mistakes]
        return dataclasses.replace(self.parts[0], text=self.text, parts=self.parts, mistakes=mistakes, complete=self.complete)


def assembled(sends, said):
    """The sends in the order of the screens, those of one long reply as one. said: user -> texts that replies of theirs had."""
    long_texts = {user: {text: squeezed(text) for text in texts if len(text.encode()) > LIMIT_MIN}
                  for user, texts in said.items()}
    found, current, last = [], {}, {}  # (user, text) -> the reply being shown; user -> what their screen shows last
    for send in sorted(sends, key=lambda send: send.line):
        piece = squeezed(send.text)
        texts = long_texts.get(send.user, {})
        # What was said whole is no part, though the beginning of a short answer may begin a long one too.
        whole_reply = send.text in said.get(send.user, ())
        text = None if whole_reply else next((text for text, whole in texts.items() if piece in whole), None)
        if text is None:
            found.append(send)
            last[send.user] = None
            continue
        key = (send.user, text)
        reply = current.get(key)
        begins = reply is None or (reply.complete and texts[text].startswith(piece))
        if begins:
            reply = current[key] = _Reply(text, texts[text])
            found.append(reply)
        reply.take(send, interrupted=not begins and last.get(send.user) is not reply)
        last[send.user] = reply
    return [item.as_send() if isinstance(item, _Reply) else item for item in found]
