import os
import signal

from forerun.base.signals import handled_by


def test_the_handlers_of_before_come_back():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    seen = []
    try:
        with handled_by(lambda number, frame: seen.append(number), signal.SIGHUP):
            os.kill(os.getpid(), signal.SIGHUP)
        assert seen == [signal.SIGHUP]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
