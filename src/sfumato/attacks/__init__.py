"""Attacks on synthetic tables and audits of the mechanisms behind them."""

from sfumato.attacks.audit import AuditReport, audit
from sfumato.attacks.result import AttackResult

__all__ = ["AttackResult", "AuditReport", "audit"]
