"""The doctor."""

import json
import socket

import pytest

import voip


def test_what_is_well_and_what_is_not(tracker: voip.Tracker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    report = voip.doctor([tracker.address, nobody], input="off", output="off", timeout=8)
    verdicts = {(check.what, check.subject): check.verdict for check in report.checks}
    assert verdicts[voip.CheckKind.LOOPBACK_CALL, ""] is voip.Verdict.GOOD
    assert verdicts[voip.CheckKind.MICROPHONE, ""] is voip.Verdict.SKIPPED
    assert verdicts[voip.CheckKind.TRACKER, tracker.address] is voip.Verdict.GOOD
    assert verdicts[voip.CheckKind.TRACKER, nobody] is voip.Verdict.BAD
    assert not report.good
    bad = [check for check in report.checks if check.verdict is voip.Verdict.BAD]
    assert [check.advice != "" for check in bad] == [True]
    assert len(json.loads(report.json)["checks"]) == len(report.checks)


def test_its_words_and_limits() -> None:
    assert voip.CheckKind.NAT.describe() == "router"
    assert voip.Verdict.BAD.describe() == "bad"
    with pytest.raises(voip.InvalidArgument, match="limit"):
        voip.doctor(timeout=0.01)
