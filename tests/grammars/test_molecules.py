"""Molecules: their grammar and files, a run on them, and their chemistry where RDKit is installed."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastrrae import (
    RECIPES,
    VRRAE,
    DataConfig,
    InputError,
    NetworkConfig,
    ShardingConfig,
    evaluate,
    load_dataset,
    load_run,
    train,
)
from fastrrae.cli.main import run_command
from fastrrae.data import example_molecules
from fastrrae.data.molecules import read_smiles
from fastrrae.evaluation.string_metrics import molecule_share
from fastrrae.grammars import MOLECULES, NotInGrammar, StringCodec, molecules, parse, parser
from fastrrae.grammars.molecules import (
    ZINC_DEVIATIONS,
    ZINC_MEANS,
    is_molecule,
    logp_terms,
    penalised_logp,
    standardised_penalised_logp,
)
from fastrrae.grammars.rule_masks import derive_batch
from fastrrae.latent_optimisation.evaluation_log import EvaluationLog
from fastrrae.latent_optimisation.objective import score
from fastrrae.reproduce import TABLES
from fastrrae.reproduce.structured_tables import RANDOM

needs_chemistry = pytest.mark.skipif(not molecules.has_chemistry(), reason="needs RDKit (fastrrae[molecules])")

# Aspirin, caffeine, ibuprofen, nicotine, a sulfonamide, a zwitterion, an imine, and others that use the other rules.
KNOWN = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(C)Cc1ccc([C@H](C)C(=O)O)cc1",
    "CN1CCC[C@H]1c1cccnc1",
    "Nc1ccc(S(N)(=O)=O)cc1",
    "C[C@@H]([NH3+])C(=O)[O-]",
    "[H]/N=C(\\C)N",
    "F/C=C/Cl",
    "C1CC=1",
    "C=1CC1",
    "C12CC1C2",
    "[13CH4]",
    "[nH+]1cc[nH]c1",
    "c1cc[se]c1",
    "C[Si](C)(C)Br",
    "OB(O)c1ccccc1I",
    "OP(=O)(O)O",
    "C#C-C",
    "[Se-2]",
    "[Si+4]",
    "c1ccsc1",
    "c1ccoc1",
    "C[S@](=O)CC",
    "N(C)(C)",
    "C(C)",
    "[2H]C",
    "[238Se]",
)
NOT_MOLECULES = ("b1c[pH]cc1C(C)(C)(C)C", "C3CC4")  # of the grammar all the same
LENGTH = 40
derive_rules = jax.jit(derive_batch, static_argnums=0)


def test_the_grammar_is_of_the_papers_size_and_every_rule_is_used():
    used = {rule for smiles in (*KNOWN, *NOT_MOLECULES) for rule in parse(MOLECULES, smiles)}
    unused = {str(MOLECULES.rules[index]) for index in set(range(len(MOLECULES.rules))) - used}
    assert 76 <= len(MOLECULES.rules) <= 80
    assert all(rule.startswith("digit ->") for rule in unused), unused


def test_molecules_have_one_derivation_that_the_fast_parser_finds(monkeypatch):
    def refuse(grammar):
        raise AssertionError("the fast parser has failed")

    monkeypatch.setattr(parser, "_earley", refuse)
    for smiles in (*KNOWN, *example_molecules(200)):
        assert MOLECULES.derive(parse(MOLECULES, smiles)) == smiles


@pytest.mark.parametrize(
    ("smiles", "position"), [("C.C", 2), ("CC(", 4), ("C(C", 4), ("Cx", 2), ("[Fe]", 3), ("C%10", 2), ("()", 1)]
)
def test_what_the_grammar_does_not_derive_is_named_with_its_position(smiles, position):
    with pytest.raises(NotInGrammar) as raised:
        parse(MOLECULES, smiles)
    assert raised.value.position == position


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.0, 1.0, 10.0, 1e12]))
def test_whatever_is_decoded_is_a_string_of_the_grammar(seed, scale):
    codec = StringCodec(MOLECULES, LENGTH)
    keys = jax.random.split(jax.random.key(seed), 9)
    logits = scale * jax.random.normal(keys[0], (8, *codec.sample_shape))
    for rules in (derive_rules(MOLECULES, logits), derive_rules(MOLECULES, logits, keys[1:])):
        for smiles in codec.decode(np.asarray(jax.nn.one_hot(rules, codec.sample_shape[1]))):
            assert MOLECULES.derive(parse(MOLECULES, smiles)) == smiles


def test_files_of_molecules_are_tables_or_text(tmp_path):
    expected = ["CCO", "c1ccccc1", "CN"]
    contents = {
        "a.smi": "smiles zinc_id\nCCO ZINC1\n\nc1ccccc1\tbenzene\n CN\n",
        "b.smi": "CCO\nc1ccccc1\nCN",
        "c.txt": "SMILES\nCCO\r\nc1ccccc1\r\nCN\r\n",
        "d.csv": 'smiles,logP\n"CCO\n",0.1\n"c1ccccc1\n",1.7\n\nCN,0\n',
        "e.tsv": "name\tSmiles\nethanol\tCCO\nbenzene\tc1ccccc1\nmethylamine\tCN\n",
    }
    numbers = {}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content.encode())
        found = read_smiles(tmp_path / name)
        assert [smiles for _, smiles in found] == expected, name
        numbers[name] = [number for number, _ in found]
    assert numbers == {
        "a.smi": [2, 4, 5],
        "b.smi": [1, 2, 3],
        "c.txt": [2, 3, 4],
        "d.csv": [2, 4, 7],
        "e.tsv": [2, 3, 4],
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.smi", "CCO\n\nCC.C\n", "line 3: 'CC.C' is not a string of the grammar, from position 3 ('.') on"),
        ("a.csv", 'smiles,logP\n"CCO\n",1\nC1C(,2\n', "line 4: 'C1C(' is not a string of the grammar"),
        ("a.csv", "logP,smiles\n1,CC\n2\n", "line 3: there is no value in the column smiles"),
        ("a.csv", "structure\nCC\n", "must have a column smiles"),
        ("a.csv", "", "must have a column smiles"),
        ("a.smi", "C" * 80, "has 319 rules, more than --longest = 277"),
        ("a.smi", "", "there are no molecules of a.smi"),
        ("a.smi", "CCO\nC\n", "--test-fraction = 0.02 of 2 strings leaves nothing to test on"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_text(content)
    command = ["train", "molecules", "--data", str(tmp_path / name), "--out", str(tmp_path / "run")]
    assert run_command(command) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_missing_is_named(tmp_path, capsys):
    assert run_command(["train", "molecules", "--out", str(tmp_path / "run")]) == 1
    assert "--data must be given: a .csv table with a column smiles" in capsys.readouterr().err
    assert run_command(["train", "molecules", "--data", str(tmp_path / "no.smi"), "--out", str(tmp_path / "run")]) == 1
    assert "no.smi is not a file" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"`data.grammar` is not of the recipe molecules"):
        load_dataset(DataConfig("molecules", str(tmp_path / "no.smi"), grammar="S -> 'C'"))
    with pytest.raises(InputError, match=r"`count` must be at least 1 and at most 3600; got 3601"):
        example_molecules(3601)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Of six steps, on small molecules."""
    folder = tmp_path_factory.mktemp("molecules")
    (folder / "molecules.smi").write_text("\n".join(sorted(example_molecules(300), key=len)[:60]))
    recipe = RECIPES["molecules"].config
    config = replace(
        recipe,
        data=DataConfig("molecules", str(folder / "molecules.smi")),
        model=VRRAE(rank=3, latent_size=6, kl_reduction="mean"),
        network=NetworkConfig("mlp", encoder_widths=(8,), decoder_widths=(8,)),
        training=replace(recipe.training, steps=6, epochs=None, batch_size=16, log_every=2),
        sharding=ShardingConfig(data_devices=1),
        evaluation=replace(recipe.evaluation, protocol="brief", mixture_components=2),
    )
    train(config, load_dataset(config.data), folder / "run", quiet=True)
    return load_run(folder / "run")


def test_a_run_on_molecules_is_evaluated_and_shown_as_text(run, tmp_path, capsys):
    found = evaluate(run, load_dataset(run.config.data)).strings
    assert found is not None
    assert found.valid == 100
    assert (found.molecules is not None) == molecules.has_chemistry()
    page = run.folder.report.read_text()
    assert run.strings(run.examples[:1])[0] in page
    assert ("RDKit reads" in page) == molecules.has_chemistry()
    table, codes = tmp_path / "others.csv", tmp_path / "codes.npy"
    table.write_text("smiles\nCCO\nCCN\n")
    assert run_command(["encode", str(run.folder.root), "--data", str(table), "--out", str(codes)]) == 0
    assert np.load(codes).shape == (2, 3)
    table.write_text("smiles\nCCO\nC.C\n")
    assert run_command(["encode", str(run.folder.root), "--data", str(table), "--out", str(codes)]) == 1
    assert "line 3: 'C.C'" in capsys.readouterr().err


def test_without_rdkit_the_extra_is_named(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(molecules, "find_spec", lambda name: None)
    for function in (is_molecule, penalised_logp, standardised_penalised_logp):
        with pytest.raises(InputError, match=r"needs RDKit; install `fastrrae\[molecules\]`"):
            function("C")
    with pytest.raises(InputError, match=r"^chemistry needs RDKit"):
        score(penalised_logp, "C")
    assert molecule_share(run.codec, ["C"]) is None
    assert run_command(["reproduce", "rae-table-structured-molecules", "--data", "x.smi", "--out", str(tmp_path)]) == 1
    assert "install `fastrrae[molecules]`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@needs_chemistry
def test_chemistry_is_that_of_known_molecules():
    for smiles in (*KNOWN, *example_molecules(3600)):
        assert is_molecule(smiles), smiles
    for smiles in (*NOT_MOLECULES, "c1ccccc1(O)(O)O", "", "c1ccc1C(", "F=F"):
        assert not is_molecule(smiles)
        assert penalised_logp(smiles) is None
        assert standardised_penalised_logp(smiles) is None


@needs_chemistry
def test_the_score_is_logp_less_synthesis_less_large_rings():
    from rdkit.Chem import MolFromSmiles  # pyright: ignore[reportMissingImports]
    from rdkit.Chem.Crippen import MolLogP  # pyright: ignore

    for smiles, rings in (("CC(=O)Oc1ccccc1C(=O)O", 0), ("C1CCCCCCCC1", -3), ("C1CC1", 0), ("CCO", 0)):
        terms = logp_terms(smiles)
        assert terms is not None
        assert terms.logp == pytest.approx(MolLogP(MolFromSmiles(smiles)))
        assert -10 <= terms.synthesis <= -1
        assert terms.rings == rings
        assert penalised_logp(smiles) == pytest.approx(sum(terms))
        standardised = [(t - m) / s for t, m, s in zip(terms, ZINC_MEANS, ZINC_DEVIATIONS, strict=True)]
        assert standardised_penalised_logp(smiles) == pytest.approx(sum(standardised))


@needs_chemistry
def test_the_table_of_molecules_counts_what_rdkit_reads_and_keeps_the_greatest_scores(run):
    trials = TABLES["rae-table-structured-molecules"].search
    assert trials is not None
    assert trials.options.maximise
    # Few draws of an untrained model are molecules: they are scored by their lengths.
    small = replace(trials, objective=len, options=replace(trials.options, rounds=1, batch_size=8, start=16), trials=1)
    found = small.run(run, lambda line: None)
    log = EvaluationLog(run.folder.root / "optimisation-0" / "evaluations.jsonl")
    proposed = [row.text or "" for row in log.of("expected improvement")]
    assert found["valid proposals, %"] == pytest.approx(100 * np.mean([is_molecule(smiles) for smiles in proposed]))
    assert found["best score"] == max(row.score for row in log.of("start", "expected improvement"))
    assert found[RANDOM] == max(row.score for row in log.of("start", "random"))
