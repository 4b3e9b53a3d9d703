# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
"""Builds that are broken on purpose: each breaks one promise, and the checks of that promise have to find it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from interlock.budget import hold as holding
from interlock.core.decision import Allow, Deny
from interlock.core.effect import EffectClass
from interlock.core.ids import SubjectId, TenantId
from interlock.core.value import replace
from interlock.gateway import (
    access_check,
    asked,
    begin,
    call,
    compare,
    consent,
    erase,
    judge,
    people,
    resend,
    write_begin,
)
from interlock.gateway.begin import Begun
from interlock.gateway.lot import Lot
from interlock.ledger import audit, rotation
from interlock.ports import Changes
from interlock.redact.scrub import Scrubber
from interlock.secret.box import Box
from interlock.secret.keyring import Keyring
from interlock.secret.keys import SqliteKeys, TakenIn
from interlock.secret.sealed_file import Line
from interlock.store import schema
from interlock.store.batch import Batcher
from interlock.store.load import Stored

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """A way to break the build, and the promise that is broken by it."""

    promise: str
    apply: Callable[[Patch], None]

    @property
    def name(self) -> str:
        return self.apply.__name__


def what_no_rule_allows_is_allowed(patch: Patch) -> None:
    real = judge.decide

    def decide(*args: Any) -> Any:
        judgement = real(*args)
        default = isinstance(judgement.decision, Deny) and not judgement.decision.rules
        return replace(judgement, decision=Allow(rules=())) if default else judgement

    patch.setattr(judge, "decide", decide)
    patch.setattr("interlock.gateway.call.left_open", lambda asked, rows: Allow(rules=()))


def a_token_opens_every_place(patch: Patch) -> None:
    patch.setattr(access_check, "_is_for", lambda credential, caller: True)


def a_token_never_ends(patch: Patch) -> None:
    patch.setattr("interlock.gateway.let_in.shut_out", lambda door, action, now, *, waits: None)


def the_start_is_not_entered(patch: Patch) -> None:
    real = write_begin.Writing.started

    def started(*args: Any) -> Changes:
        return replace(real(*args), entries=())

    patch.setattr(write_begin.Writing, "started", started)


def the_start_sets_nothing_aside(patch: Patch) -> None:
    real = write_begin.Writing.started

    def started(*args: Any) -> Changes:
        return replace(real(*args), budgets={})

    patch.setattr(write_begin.Writing, "started", started)


def every_call_has_a_key_of_its_own(patch: Patch) -> None:
    real = asked.scoped_key

    def scoped_key(proposed: Any, *args: Any) -> Any:
        another = replace(proposed.proposal, key=f"{proposed.proposal.key}{proposed.drawn.id}")
        return real(replace(proposed, proposal=another), *args)

    patch.setattr(asked, "scoped_key", scoped_key)


def whatever_was_left_is_sent_again(patch: Patch) -> None:
    patch.setattr(resend, "RESENDABLE", frozenset(EffectClass))


def a_restored_store_goes_on(patch: Patch) -> None:
    patch.setattr("interlock.app.restored", lambda rows, *, by, copy: (Changes(), None))


def a_budget_lacks_nothing(patch: Patch) -> None:
    patch.setattr(holding.Balance, "left", lambda self: 10**9)


def what_is_held_counts_as_free(patch: Patch) -> None:
    patch.setattr(holding.Balance, "left", lambda b: 0 if b.closed else max(0, b.limit + b.raised - b.spent))


def an_overrun_closes_nothing(patch: Patch) -> None:
    patch.setattr(holding, "closes", lambda limit, *, held, cost: False)
    patch.setattr("interlock.ledger.rebuild.closes", lambda limit, *, held, cost: False)


def a_yes_opens_whatever_stands_there(patch: Patch) -> None:
    real = begin.opening

    def opening(ask: Any, grants: Any, **now: Any) -> Any:
        names = {name: now[name] for name in ("digest", "bound", "seen")}
        return real(ask, [replace(grant, **names) for grant in grants], **now)

    patch.setattr(begin, "opening", opening)


def who_asked_may_approve(patch: Patch) -> None:
    for module in (consent, people):
        patch.setattr(module, "asked_by", lambda approvals, row: frozenset[Any]())


def a_person_may_vote_twice(patch: Patch) -> None:
    patch.setattr(consent, "voted_already", lambda votes, new: None)
    patch.setattr("interlock.approval.grant.answering", _each_word_counts)


def _each_word_counts(requirement: Any, grants: Any, *, seen: str) -> Any:
    return tuple(grants) if len(grants) >= requirement.quorum else None


def a_decision_is_never_stale(patch: Patch) -> None:
    real = begin.begin

    def late(rows: Any, *, writing: Any) -> tuple[Changes, Begun]:
        return real(rows, writing=replace(writing, judged=replace(writing.judged, epoch=rows.door.epoch)))

    patch.setattr("interlock.gateway.call.begin", late)


def a_stop_holds_back_undos_too(patch: Patch) -> None:
    real = judge.question_of

    def question_of(*args: Any) -> Any:
        return replace(real(*args), undo=False, by_operator=False)

    patch.setattr(call, "question_of", question_of)


def an_entry_names_no_rule(patch: Patch) -> None:
    real = write_begin.Writing.refused

    def refused(*args: Any) -> Changes:
        changes = real(*args)
        return replace(changes, entries=tuple(replace(entry, rules=()) for entry in changes.entries))  # pyright: ignore[reportCallIssue]

    patch.setattr(write_begin.Writing, "refused", refused)


def every_tenant_has_the_same_keys(patch: Patch) -> None:
    real = Keyring._derived  # pyright: ignore[reportPrivateUsage]

    def derived(self: Keyring, tenant: TenantId, *, purpose: str) -> bytes:
        return real(self, TenantId(""), purpose=purpose)

    patch.setattr(Keyring, "_derived", derived)


def every_agent_has_the_same_keys(patch: Patch) -> None:
    real = asked.scoped_key

    def scoped_key(proposed: Any, *args: Any) -> Any:
        return real(replace(proposed, caller=replace(proposed.caller, agent="", principal="")), *args)

    patch.setattr(asked, "scoped_key", scoped_key)


def rows_are_believed(patch: Patch) -> None:
    patch.setattr(Stored, "checked", lambda self, table, id, body, mac: body)


def an_older_ledger_is_gone_on_from(patch: Patch) -> None:
    patch.setattr(Batcher, "trusted", lambda self, stored, standing: stored.head(standing))


def payloads_are_not_encrypted(patch: Patch) -> None:
    patch.setattr(Keyring, "seal", lambda self, tenant, id, text, subjects: text)
    patch.setattr(Keyring, "open", lambda self, tenant, id, sealed: sealed)


def an_erased_key_is_kept(patch: Patch) -> None:
    patch.setattr(Keyring, "destroy", lambda self, key: True)


def keys_out_of_a_file_take_the_place_of_others(patch: Patch) -> None:
    def take_in(self: SqliteKeys, found: Any) -> TakenIn:
        for name, key in found.items():
            self._run("insert or replace into key values (?, ?)", [name, key])  # pyright: ignore[reportPrivateUsage]
        return TakenIn(added=0, destroyed=0, stayed=1, other=0)

    patch.setattr(SqliteKeys, "take_in", take_in)


def a_hold_for_law_is_not_entered(patch: Patch) -> None:
    patch.setattr(erase, "_held", lambda rows, *, name, by, why: (Changes(), None))


def what_is_held_for_law_expires(patch: Patch) -> None:
    patch.setattr(Keyring, "keep", lambda self, tenant, id, sealed, *, without, why: None)


def no_lot_is_ever_due(patch: Patch) -> None:
    patch.setattr(Lot, "due", None)


def every_lot_has_the_same_key(patch: Patch) -> None:
    patch.setattr(Lot, "subject", property(lambda self: SubjectId("month")))


def an_older_key_signs_on(patch: Patch) -> None:
    real = Keyring.sign
    patch.setattr(Keyring, "sign", lambda self, tenant, text, *, generation: real(self, tenant, text, generation=1))
    key = Keyring.public_key
    patch.setattr(Keyring, "public_key", lambda self, tenant, *, generation: key(self, tenant, generation=1))


def a_key_signs_heads_of_any_size(patch: Patch) -> None:
    patch.setattr(rotation.Generation, "covers", lambda self, size: True)


def a_rotation_needs_no_signature(patch: Patch) -> None:
    patch.setattr(rotation.Rotation, "problem", lambda self: "")


def what_was_pruned_frees_its_key(patch: Patch) -> None:
    def key(_: str, row: Any) -> str | None:
        return None if row.pruned is not None else row.action.key

    patch.setitem(cast("Any", schema.ACTION.columns), "held_key", schema.Column("text", key))


def whoever_takes_entries_out_need_not_say_so(patch: Patch) -> None:
    patch.setattr(audit, "undeclared", lambda missing, named: ())
    patch.setattr(compare, "_Taken", Believing)


class Believing(compare._Taken):  # pyright: ignore[reportPrivateUsage]
    """Says nothing of what was taken out."""

    def differences(self, state: Any, part: Any) -> Any:
        return iter(())

    def disagreeing(self) -> Any:
        return iter(())


def what_is_pruned_leaves_no_hash(patch: Patch) -> None:
    patch.setattr("interlock.store.batch.gone", lambda leaf: b"{}")


def results_keep_their_secrets(patch: Patch) -> None:
    patch.setattr(Scrubber, "json", lambda self, value: value)


def failures_keep_their_secrets(patch: Patch) -> None:
    patch.setattr(Scrubber, "text", lambda self, text, cut=False: text)


def a_secret_opens_under_any_name(patch: Patch) -> None:
    patch.setattr(Line, "bound", property(lambda self: b""))
    real = Box._cipher  # pyright: ignore[reportPrivateUsage]
    patch.setattr(Box, "_cipher", lambda self, tenant: real(self, TenantId("")))


MUTANTS = (
    Mutant("door", what_no_rule_allows_is_allowed),
    Mutant("door", a_token_opens_every_place),
    Mutant("door", a_token_never_ends),
    Mutant("intent", the_start_is_not_entered),
    Mutant("intent", the_start_sets_nothing_aside),
    Mutant("once", every_call_has_a_key_of_its_own),
    Mutant("once", whatever_was_left_is_sent_again),
    Mutant("once", a_restored_store_goes_on),
    Mutant("budget", a_budget_lacks_nothing),
    Mutant("budget", what_is_held_counts_as_free),
    Mutant("budget", an_overrun_closes_nothing),
    Mutant("consent", a_yes_opens_whatever_stands_there),
    Mutant("consent", who_asked_may_approve),
    Mutant("consent", a_person_may_vote_twice),
    Mutant("stop", a_decision_is_never_stale),
    Mutant("undo", a_stop_holds_back_undos_too),
    Mutant("explain", an_entry_names_no_rule),
    Mutant("tenant", every_tenant_has_the_same_keys),
    Mutant("tenant", every_agent_has_the_same_keys),
    Mutant("ledger", rows_are_believed),
    Mutant("ledger", an_older_key_signs_on),
    Mutant("ledger", a_key_signs_heads_of_any_size),
    Mutant("ledger", a_rotation_needs_no_signature),
    Mutant("ledger", an_older_ledger_is_gone_on_from),
    Mutant("secret", payloads_are_not_encrypted),
    Mutant("secret", results_keep_their_secrets),
    Mutant("secret", failures_keep_their_secrets),
    Mutant("secret", a_secret_opens_under_any_name),
    Mutant("forget", an_erased_key_is_kept),
    Mutant("forget", keys_out_of_a_file_take_the_place_of_others),
    Mutant("forget", a_hold_for_law_is_not_entered),
    Mutant("forget", what_is_held_for_law_expires),
    Mutant("forget", no_lot_is_ever_due),
    Mutant("forget", every_lot_has_the_same_key),
    Mutant("forget", what_was_pruned_frees_its_key),
    Mutant("forget", whoever_takes_entries_out_need_not_say_so),
    Mutant("forget", what_is_pruned_leaves_no_hash),
)
