"""What is fit to learn from, and what is not."""

from __future__ import annotations

import pytest

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.cleaning import cleaned, fit, key

GOOD = SentencePair("The file is not in the folder.", "Le fichier n'est pas dans le dossier.")


def test_text_is_written_in_one_way():
    pair = cleaned(SentencePair(" • It’s\n“here”\u00a0! ", "C’est\u202f« ici »\u00ad\u200b !"))
    assert pair == SentencePair('It\'s "here" !', "C'est « ici » !")


def test_a_good_pair_is_fit():
    assert fit(GOOD, "fr", interface=True)
    assert fit(SentencePair("Press Enter now", "Appuyez sur Entrée"), "fr", interface=False)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("The file %s is here", "Le fichier %s est ici"),
        ("The file {0} is here", "Le fichier {0} est ici"),
        ("The file $name is here", "Le fichier $nom est ici"),
        ("The <b>file</b> is here", "Le <b>fichier</b> est ici"),
        ("See https://example.org/ for more", "Voir https://example.org/ pour plus"),
        ("See \ue000 for this one", "Voir \ue000 pour ceci"),
        ("Two words", "Deux mots"),
        ("In 3 of the 4 files", "Dans 3 des 5 fichiers"),
        ("This is the same text", "This is the same text"),
        ("This is nearly the same text", "This is nearly the same texte"),
        ("A text that was not translated to it", "Some text that is of the other sort"),
        ("Le fichier est dans le dossier", "The file is in the folder"),
        ("Here it is", "Voici quelque chose de beaucoup plus long que la source, et de loin"),
        ("+-*/ == << >> && || one two", "+-*/ == << >> && || un deux"),
        ("word " * 81, "mot " * 81),
    ],
)
def test_what_is_no_translation_of_a_sentence_is_not_fit(source, target):
    assert not fit(cleaned(SentencePair(source, target)), "fr", interface=False)


def test_a_message_must_be_longer_than_a_sentence_of_a_document():
    label = SentencePair("Show the toolbar", "Afficher la barre")
    assert fit(label, "fr", interface=False)
    assert not fit(label, "fr", interface=True)


@pytest.mark.parametrize(
    ("language", "target"),
    [
        ("fr", "Le fichier n'est pas dans le dossier."),
        ("de", "Die Datei ist nicht in dem Ordner."),
        ("es", "El archivo no está en la carpeta."),
        ("it", "Il file non è nella cartella."),
    ],
)
def test_every_language_is_known_by_its_words(language, target):
    assert fit(SentencePair(GOOD.source, target), language, interface=False)
    assert not fit(SentencePair(target, GOOD.source), language, interface=False)


def test_keys_are_equal_for_texts_that_differ_in_case_digits_and_punctuation_only():
    assert key("Press F1 to go on!") == key("press F2, to go on")
    assert key("Été") != key("Ete")
