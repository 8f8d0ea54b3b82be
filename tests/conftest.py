"""What holds for all tests."""

import signal

# A shell starts what runs in the background with SIGINT ignored, and every process that a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
