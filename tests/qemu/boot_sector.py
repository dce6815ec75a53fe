"""Boot sectors that print on COM1: the smallest possible guests."""

from pathlib import Path

HALT = bytes.fromhex("f4 ebfd")
"""Executes hlt for ever."""

SWITCH_OFF_WHEN_ASKED = bytes.fromhex(
    "ba0206 b80001 ef"  # mov dx,0x602; mov ax,0x100; out dx,ax: let the power button raise events
    "ba0006 ed f6c401 74fa"  # mov dx,0x600; again: in ax,dx; test ah,1; jz again
    "ba0406 b80020 ef"  # mov dx,0x604; mov ax,0x2000; out dx,ax: sleep state 5
    "f4 ebfd"
)
"""SeaBIOS maps the ACPI registers of QEMU's q35 to port 0x600."""

RESET_WHEN_ASKED = bytes.fromhex(
    "bafd03 ec a801 74fb"  # mov dx,0x3fd; again: in al,dx; test al,1; jz again
    "baf90c b006 ee"  # mov dx,0xcf9; mov al,6; out dx,al: the chipset's reset register
    "f4 ebfd"
)
"""Resets the machine when a byte comes in on COM1."""

LETTER = b"\xfe\xfe"
COUNT = (
    bytes.fromhex("fe06")  # inc byte [the message's last character]
    + LETTER
    + bytes.fromhex(
        "b80103 b90100 ba8000 31db 8ec3 bb007c cd13"  # int 0x13: write this sector back
        "bafd03 ec a820 74fb b021 baf803 ee"  # "!" on COM1
    )
)
"""Changes the last letter of the message on the disk to the next one, and prints "!" when that is
written."""

COUNT_UP = COUNT + HALT

MESSAGE = b"\xfd\xfd"
PRINT = (
    bytes.fromhex("31c0 8ed8 fc be")  # xor ax,ax; mov ds,ax; cld; mov si,message
    + MESSAGE
    + bytes.fromhex(
        "ac 84c0 7412"  # next: lodsb; test al,al; jz done
        "88c3 bafd03"  # mov bl,al; mov dx,0x3fd
        "ec a820 74fb"  # wait: in al,dx; test al,0x20; jz wait
        "88d8 baf803 ee"  # mov al,bl; mov dx,0x3f8; out dx,al
        "ebe9"  # jmp next
    )
)


def write(path: Path, message: str, then: bytes = HALT) -> Path:
    """Write a disk of 1 MiB to `path` that prints `message` on COM1 and then executes `then`."""
    code = PRINT + then
    begin = 0x7C00 + len(code)
    code = code.replace(MESSAGE, begin.to_bytes(2, "little"))
    code = code.replace(LETTER, (begin + len(message) - 1).to_bytes(2, "little"))
    sector = (code + message.encode() + b"\0").ljust(510, b"\0") + b"\x55\xaa"
    assert len(sector) == 512
    with path.open("wb") as file:
        file.write(sector)
        file.truncate(1 << 20)
    return path
