"""What is written from the code says what the code says now."""

import fusion_docs


def test_the_cards_of_fusions_are_those_of_the_code():
    assert fusion_docs.FILE.read_text(encoding="utf-8") == fusion_docs.document(), "python scripts/fusion_docs.py"
