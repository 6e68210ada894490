"""From nothing to translations: train, export, serve, translate through the real client."""

from __future__ import annotations

import json

import pytest

from ferryman import Beam, Client, Greedy


@pytest.fixture(scope="module")
def client(server):
    with Client(server.address) as connected:
        yield connected


def exact(translations, pairs) -> float:
    right = sum(t.text == target for t, (_, target) in zip(translations, pairs, strict=True))
    return right / len(pairs)


@pytest.mark.parametrize("search", [None, Greedy()], ids=["the model's own search", "greedy"])
def test_the_task_is_learnt(client, reversal, search):
    sources = [source for source, _ in reversal.test]
    translations = client.translate(sources, source="en", target="fr", search=search)
    assert exact(translations, reversal.test) >= 0.99


def test_the_command_gives_what_the_client_gives(client, server, ferryman, reversal, tmp_path):
    sources = [source for source, _ in reversal.test[:100]]
    expected = [t.text for t in client.translate(sources, source="en", target="fr")]
    file = tmp_path / "sources.txt"
    file.write_text("".join(f"{line}\n" for line in sources), "utf-8")
    to_fr = ("--server", server.address, "--from", "en", "--to", "fr")
    from_file = ferryman("translate", *to_fr, "--file", str(file))
    from_stdin = ferryman("translate", *to_fr, input=file.read_text("utf-8"))
    assert from_file.stdout.splitlines() == expected, from_file.stderr
    assert from_stdin.stdout == from_file.stdout
    assert ferryman("translate", *to_fr, sources[0]).stdout == f"{expected[0]}\n"


@pytest.mark.parametrize("search", [Greedy(), Beam(4)])
def test_a_text_alone_is_translated_as_it_is_among_others(client, reversal, search):
    texts = [source for source, _ in reversal.test[:64]]
    together = client.translate(texts, search=search)
    alone = [client.translate(text, search=search) for text in texts]
    assert [t.text for t in alone] == [t.text for t in together]
    assert [t.best.log_prob for t in alone] == [t.best.log_prob for t in together]
    assert [t.best.score for t in alone] == [t.best.score for t in together]


def test_evaluation_through_the_engine_agrees(ferryman, reversal, tmp_path):
    test = tmp_path / "test.tsv"
    test.write_text("".join(f"{s}\t{t}\n" for s, t in reversal.test), "utf-8")
    output = tmp_path / "translations.txt"
    finished = ferryman(
        "evaluate", str(reversal.bundle), str(test), "--json", "--output", str(output)
    )
    assert finished.returncode == 0, finished.stderr
    figures = json.loads(finished.stdout)
    assert figures["sentences"] == len(reversal.test) == 500
    assert figures["bleu"] >= 99
    assert figures["bleu_signature"].startswith("nrefs:1|")
    assert figures["steps"] > 0
    assert figures["mean_occupancy_while_sentences_wait"] > 0.85
    written = output.read_text("utf-8").splitlines()
    right = sum(line == target for line, (_, target) in zip(written, reversal.test, strict=True))
    assert right / len(written) >= 0.99


def test_a_checkpoint_and_its_bundle_do_not_differ(ferryman, reversal, tmp_path):
    test = tmp_path / "test.tsv"
    test.write_text("".join(f"{s}\t{t}\n" for s, t in reversal.test[:200]), "utf-8")
    finished = ferryman(
        "evaluate", str(reversal.checkpoint), str(test), "--against", str(reversal.bundle), "--json"
    )
    assert finished.returncode == 0, finished.stderr
    figures = json.loads(finished.stdout)
    assert figures["search"] == "greedy, in torch"
    assert figures["bleu"] >= 99
    difference = figures["differences"]["chrf"]
    assert abs(difference["delta"]) < 1
    assert difference["p_value"] > 0.01


def test_evaluation_for_people_is_tables(ferryman, reversal, tmp_path):
    test = tmp_path / "test.tsv"
    test.write_text("".join(f"{s}\t{t}\n" for s, t in reversal.test[:20]), "utf-8")
    finished = ferryman("evaluate", str(reversal.bundle), str(test), "--beam", "1")
    assert finished.returncode == 0, finished.stderr
    for word in ("BLEU", "chrF++", "95 % interval", "nrefs:1|", "greedy", "decoder steps"):
        assert word in finished.stdout


def test_attention_is_a_picture(ferryman, reversal, tmp_path):
    picture = tmp_path / "attention.png"
    source, target = reversal.test[0]
    finished = ferryman(
        "attention", str(reversal.checkpoint), source, "--target", target, "-o", str(picture)
    )
    assert finished.returncode == 0, finished.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
