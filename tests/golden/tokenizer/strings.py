"""The 10,000 texts of the tokenizer's golden file, as bytes. The same seed and Python version give the same texts.

They are chosen to reach every branch of the pre-tokenizers and of UTF-8 repair: scripts with and without spaces, emoji joined by
ZWJ, words of thousands of letters, numbers of all kinds, runs of every white space, source code, texts that look like control
tokens, and bytes that are not UTF-8.
"""
import random

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "I can't believe you're here; they'll say it's what we've done, I'd bet.",
    "Où est la bibliothèque ? C'est l'été à Genève.", "¿Dónde está el niño? ¡Mañana será otro día!",
    "Die Straße führt über Flüsse und Äcker, sagt Jürgen.", "Žluťoučký kůň úpěl ďábelské ódy.",
    "Zażółć gęślą jaźń.", "Árvíztűrő tükörfúrógép", "Pijamalı hasta yağız şoföre çabucak güvendi.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.", "Чуєш їх, доцю, га? Кумедна ж ти, прощайся без ґольфів!",
    "Ο γρήγορος σκύλος πηδάει πάνω από τον τεμπέλη.", "Բարեւ աշխարհ, ինչպե՞ս ես", "გამარჯობა მსოფლიო",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה", "نص حكيم له سر قاطع وذو شأن عظيم", "این یک آزمایش است؛ می‌خواهم بدانم",
    "یہ ایک امتحان ہے", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण", "আমি বাংলায় গান গাই", "ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ",
    "ગુજરાતી ભાષા", "யாமறிந்த மொழிகளிலே தமிழ்மொழி போல்", "తెలుగు భాష చాలా బాగుంటుంది", "ಕನ್ನಡ ಭಾಷೆ", "മലയാളം ഭാഷ",
    "සිංහල භාෂාව", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "ພາສາລາວ", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "བོད་སྐད།",
    "天地玄黃,宇宙洪荒。日月盈昃,辰宿列張。", "我能吞下玻璃而不伤身体。", "色は匂へど散りぬるを 我が世誰ぞ常ならむ", "パソコンでインターネットをする",
    "키스의 고유조건은 입술끼리 만나야 하고", "Tiếng Việt có nhiều dấu thanh điệu", "ሰላም ለዓለም", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", "𝕳𝖊𝖑𝖑𝖔 𝔀𝓸𝓻𝓵𝓭", "ⵜⴰⵎⴰⵣⵉⵖⵜ",
]
EMOJI = [
    "😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷🇯🇵", "❤️", "☕", "1️⃣", "🤷🏿‍♀️", "🧑🏻‍🤝‍🧑🏿", "👁️‍🗨️", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "⌚︎", "🫠",
]
CODE = [
    "def f(x):\n    return [i ** 2 for i in range(10) if i % 2 == 0]\n", "if (a && b || !c) {\n\t++i;\n\treturn nullptr;\n}\n",
    "{\"key\": [1, 2.5e-3, null, true], \"k2\": \"\\u00e9\"}", "<div class=\"a b\">&nbsp;<!-- x --></div>\r\n",
    "SELECT * FROM t WHERE a='x''y' AND b<>10;", "#include <vector>\n\nint main() { std::cout << \"hi\\n\"; }\n",
    "for i in $(seq 1 10); do echo \"$i\" >> /tmp/x; done", "https://example.com/a?b=c&d=%20e#f", "user.name+tag@example.co.uk",
    "    indented\n        more\n            most\n", "\\frac{a}{b} \\sum_{i=0}^{n} x_i^2", "0xDEADBEEF 1_000_000 1e10 3.14159f",
]
LOOK_ALIKES = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<file_sep>", "<jupyter_output>", "<empty_output>", "<|im_start|>system\n",
    "<|im_end|>\n<|im_start|>assistant\n", "<|IM_END|>", "<| im_end |>", "<|im_end|", "<<|im_end|>>", "<|eot_id|>", "</s>", "[INST]", "<s>",
]
SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NUMBERS = "0123456789٠٣۵५৯๓０９½¾²³ⅧⅫ①⑳㊿𝟘𝟡"
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Re", "'vE", "'\u017f", "\u2019s", "'x", "'", "''s", "'l", "'r"]
MARKS = "\u0300\u0301\u0302\u0303\u0308\u0323\u0327\u0328\u05b0\u064b\u093c\u093e\u0e31\u20dd\ufe0f\u200d\u200b\u00ad"
RANGES = [
    (0x20, 0x7F), (0x80, 0x250), (0x250, 0x370), (0x370, 0x530), (0x590, 0x780), (0x900, 0xE00), (0xE00, 0x1200),
    (0x1E00, 0x2000), (0x2000, 0x2C00), (0x2E80, 0x3400), (0x3400, 0x9FFF), (0xA000, 0xD7FF), (0xE000, 0xFFFF),
    (0x10000, 0x11FFF), (0x1D400, 0x1D7FF), (0x1F000, 0x1FAFF), (0x20000, 0x323AF), (0xE0000, 0x10FFFF),
]
# Assigned after Unicode 16.0: the Rust side of the reference knows these as digits and its regular expressions do not.
UNICODE_17_NUMBERS = set(range(0x11DE0, 0x11DEA)) | set(range(0x16FF4, 0x16FF7))


class Texts:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def some(self, make, low, high, joiner=""):
        return joiner.join(make() for _ in range(self.rng.randint(low, high)))

    def code_point(self):
        while True:
            low, high = self.rng.choice(RANGES)
            value = self.rng.randrange(low, high)
            if not 0xD800 <= value <= 0xDFFF and value not in UNICODE_17_NUMBERS:
                return chr(value)

    def letters(self):
        low, high = self.rng.choice(RANGES[:12])
        return "".join(c for c in (chr(self.rng.randrange(low, high)) for _ in range(self.rng.randint(1, 12))) if c.isalpha())

    def ascii_word(self):
        letters = "etaoinshrdlcumwfgypbvkjxqz"
        word = self.some(lambda: letters[min(25, int(self.rng.expovariate(0.15)))], 1, 12)
        return self.rng.choice([word, word.capitalize(), word.upper()])

    def space_run(self):
        kinds = self.rng.choice([" ", " ", " \n", " \t\r\n", SPACES])
        return self.some(lambda: self.rng.choice(kinds), 1, 8)

    def number(self):
        kinds = self.rng.choice(["0123456789", NUMBERS])
        return self.some(lambda: self.rng.choice(kinds), 1, 10)

    def punctuation(self):
        return self.some(lambda: self.rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»…—–“”、。！？€£¥₹"), 1, 10)

    def marked(self):
        return self.some(lambda: self.rng.choice(["e", "a", "o", "क", "ก", "가", "ᄒ", "ᅡ", "ᆫ"]) +
                         self.some(lambda: self.rng.choice(MARKS), 0, 4), 1, 6)

    def sentence(self):
        return self.rng.choice(SENTENCES)

    def excerpt(self):
        source = self.rng.choice(SENTENCES + CODE)
        start = self.rng.randrange(len(source))
        return source[start:start + self.rng.randint(1, 24)]

    def fragment(self):
        return self.rng.choice([
            self.ascii_word, self.ascii_word, self.letters, self.space_run, self.space_run, self.number, self.punctuation,
            self.marked, self.excerpt, lambda: self.rng.choice(EMOJI), lambda: self.rng.choice(CONTRACTIONS),
            lambda: self.rng.choice(LOOK_ALIKES), self.code_point])()

    def mixed(self):
        return self.some(self.fragment, 1, 11)

    def long_word(self):
        size = self.rng.choice([300, 1000, 3000])
        kind = self.rng.randrange(4)
        if kind == 0:
            return self.rng.choice(["a", "ab", "the", "é", "中", "\u0301", "=", " ", "\n", "-="]) * (size // 2)
        if kind == 1:
            return "".join(self.ascii_word() for _ in range(size // 6))
        if kind == 2:
            return "".join(self.letters() for _ in range(size // 12))
        return self.some(lambda: self.rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), size, size)

    def broken(self):
        data = bytearray(self.mixed().encode())
        for _ in range(self.rng.randint(1, 6)):
            at = self.rng.randrange(len(data) + 1)
            action = self.rng.randrange(4)
            if action == 0:
                data[at:at] = bytes(self.rng.randrange(256) for _ in range(self.rng.randint(1, 4)))
            elif action == 1 and data:
                del data[min(at, len(data) - 1)]
            elif action == 2 and data:
                data[min(at, len(data) - 1)] = self.rng.choice(b"\x80\xbf\xc0\xc1\xe0\xed\xf0\xf4\xf5\xff")
            else:
                data[at:at] = self.rng.choice([b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xe2\x82", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x00"])
        return bytes(data)


def generate(count=10_000, seed=20250117):
    texts = Texts(seed)
    fixed = [b"", b" ", b"\n", b"\x00"] + [s.encode() for s in SENTENCES + EMOJI + CODE + LOOK_ALIKES + CONTRACTIONS + list(SPACES)]
    fixed += [bytes([b]) for b in range(256)]
    makers = [texts.mixed] * 8 + [lambda: texts.some(texts.sentence, 1, 2, " ")] + [
        lambda: texts.some(texts.code_point, 1, 30), lambda: texts.some(texts.ascii_word, 3, 30, " "),
        lambda: texts.some(lambda: texts.number() + texts.space_run(), 1, 10), lambda: texts.rng.choice(CODE) + texts.mixed(),
        lambda: texts.some(texts.marked, 1, 8, " "), texts.broken, texts.broken]
    out = list(fixed)
    while len(out) < count:
        made = texts.long_word() if len(out) % 97 == 0 else texts.rng.choice(makers)()
        out.append(made if isinstance(made, bytes) else made.encode())
    return out[:count]
