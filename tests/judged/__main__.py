"""`python tests/judged` prints which names are judged and what differs; writes docs/keras.md."""

from __future__ import annotations

from document import PATH, document

if __name__ == "__main__":
    text = document()
    PATH.write_text(text)
    print(text)
