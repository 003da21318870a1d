"""A person at a terminal: the prompt of nsscript, and a shell in a sandbox that it starts.

Every line is typed when what the one before has said is there. The status is 0 if all of it was.
"""

import os
import pty
import re
import select
import sys
import time

GUEST = "sandbox().host_view()"
PROMPT = re.escape("\x1b[?2004h")  # which is sent when a line is about to be read
# What is waited for, and what is typed then.
CONVERSATION = [
    (PROMPT, f"let guest = {GUEST};\r"),
    (PROMPT, "6 * 7\r"),
    ("\n42", ""),
    (PROMPT, "guest.shell()\r"),
    # Its terminal is one of the devpts inside, and so the first.
    ("[#$] ", "tty\r"),
    ("/dev/pts/0", ""),
    # Ctrl-C ends what runs in the foreground, and not the shell.
    ("[#$] ", "sh -c 'echo ready-$((20 + 1)); exec sleep 100'\r"),
    ("ready-21", "\x03"),
    ("[#$] ", "echo after-$((20 + 2))\r"),
    ("after-22", ""),
    ("[#$] ", "exit\r"),
    (PROMPT, "print(`back ${20 + 3}`)\r"),
    ("back 23", ""),
    (PROMPT, "\x04"),
]
PATIENCE = 60

child, terminal = pty.fork()
if child == 0:
    os.execvp("nsscript", ["nsscript"])
said, deadline = "", time.monotonic() + PATIENCE


def read() -> bool:
    """Reads what there is, and tells whether more may come."""
    global said
    if not select.select([terminal], [], [], 0.2)[0]:
        return True
    try:
        part = os.read(terminal, 4096)
    except OSError:
        return False
    said += part.decode(errors="replace")
    return bool(part)


def fail(why: str) -> None:
    print(f"the conversation at the terminal failed: {why}; its end was:\n{said[-500:]!r}")
    sys.exit(1)


begin = 0
for wanted, typed in CONVERSATION:
    while not (found := re.compile(wanted).search(said, begin)):
        if time.monotonic() > deadline or not read():
            fail(f"no {wanted!r}")
    begin = found.end()
    if typed:
        os.write(terminal, typed.encode())
while read():
    if time.monotonic() > deadline:
        fail("it does not end")
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if status != 0:
    fail(f"status {status}")
