"""Execute a program that is root's and has the setuid bit."""

import os
import sys
import time
from pathlib import Path

if os.fork() == 0:
    os.execv("in/tool", ["tool", "in/attack.py", sys.argv[-1]])
time.sleep(0.1)
Path("out/tried").touch()
time.sleep(30)
