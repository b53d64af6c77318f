"""serial_pty.py LINK KIND [PROGRAM]: a serial port at the symbolic link LINK, until it is ended.
KIND: `clean`: PROGRAM's standard input and output; `noisy`: that with noise between its frames and a byte of every third
chunk of either direction hit; `silent`: nothing; `babbling`: noise alone."""
import os
import pty
import random
import select
import subprocess
import sys
import tty

link, kind = sys.argv[1:3]
random.seed(1)
master, slave = pty.openpty()
tty.setraw(slave)
os.symlink(os.ttyname(slave), link)
program = None
if kind in ("clean", "noisy"):
    program = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
chunks = 0


def passed(chunk):
    global chunks
    chunks += 1
    if kind != "noisy":
        return chunk
    chunk = bytearray(chunk)
    if chunks % 3 == 0:
        chunk[random.randrange(len(chunk))] ^= 16
    return random.randbytes(7) + b"\xc0" + bytes(chunk) if random.random() < 0.3 else bytes(chunk)


def write_all(file, data):
    while data:
        data = data[os.write(file, data):]


while program is None or program.poll() is None:
    ready, _, _ = select.select([master] + ([program.stdout] if program else []), [], [], 60)
    if master in ready:
        data = os.read(master, 65536)
        if kind == "babbling":
            write_all(master, random.randbytes(200))
        elif program:
            write_all(program.stdin.fileno(), passed(data))
    if program and program.stdout in ready:
        data = os.read(program.stdout.fileno(), 65536)
        if data:
            write_all(master, passed(data))
