"""Improvement plans: what a factory does about its findings.

Owns: improvement plans and their lines, the factory-reported and the verified status side by side.
Announces: ``remediation.plan.opened``, ``remediation.plan.changed``, ``remediation.line.reported``,
``remediation.line.verified``.
Listens to: finalised visits, published questionnaires (finding texts), recommended courses, released reports.
Never: changes a finding.
"""
