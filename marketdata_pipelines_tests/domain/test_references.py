"""What a reference is, and the versions that are in its ledger."""

from dataclasses import replace

from marketdata_pipelines.domain.references import STYLES, Reference, ReferenceKind, ReferenceMode

ACTIONS = Reference("us_actions", ReferenceKind.CORPORATE_ACTIONS)


def test_each_kind_has_a_table_of_its_own() -> None:
    assert {kind: Reference("r", kind).table for kind in ReferenceKind} == {
        "corporate_actions": "raw_actions",
        "instruments": "raw_instruments",
    }


def test_the_version_changes_with_how_files_are_read_and_with_nothing_else() -> None:
    same = replace(
        ACTIONS, name="other", path="elsewhere", mode=ReferenceMode.REPLACE, description="text", owners=("me",)
    )

    assert ACTIONS.parse_version == "289ab9491e23"
    assert same.parse_version == ACTIONS.parse_version
    assert replace(ACTIONS, style="lean_factors").parse_version != ACTIONS.parse_version
    assert replace(ACTIONS, kind=ReferenceKind.INSTRUMENTS).parse_version != ACTIONS.parse_version


def test_every_kind_can_recognise_its_files() -> None:
    assert {styles[0] for styles in STYLES.values()} == {"auto"}
