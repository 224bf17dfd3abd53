"""Leave a process behind that holds standard output and error, so that whoever reads them waits."""

import os
import time

print("trying", flush=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(300)
