"""Names in the letters A to Z, as they are usually transcribed.

The table is the recommended transliteration of Latin letters in passports: ICAO Doc 9303, part 3,
section 6.A. Other letters lose their accents. Letters of other scripts are not transcribed.
"""

import re
import unicodedata

TABLE = {
    "ä": "ae", "æ": "ae", "å": "aa", "ð": "d", "đ": "d", "ħ": "h", "\u0131": "i", "ĳ": "ij",
    "ł": "l", "ŀ": "l", "ŋ": "n", "ö": "oe", "ø": "oe", "œ": "oe", "ß": "ss", "ŧ": "t", "þ": "th",
    "ü": "ue",
}  # fmt: skip


def ascii_words(text: str) -> list[str]:
    """Return the words of `text` in ASCII letters and digits, without words that have a letter
    that cannot be transcribed: ``Förening für Łódź`` gives ``Foerening``, ``fuer``, ``Lodz``."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))
    return [word for word in map(_transcribed, words) if word.isascii()]


def _transcribed(word: str) -> str:
    letters = "".join(map(_letter, word))
    return letters.upper() if word.isupper() and len(word) > 1 else letters


def _letter(letter: str) -> str:
    found = TABLE.get(letter.lower())
    if found:
        return found if letter.islower() else found.capitalize()
    base = "".join(c for c in unicodedata.normalize("NFD", letter) if not unicodedata.combining(c))
    return base if base.isascii() else letter
