"""Leave a process behind, in a session of its own, with no stream and no parent."""

import os
import time

print("trying", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(300)
    os._exit(0)
os.wait()
