"""What a run takes does not grow with what it reads."""

import os
import subprocess

from sluice_runs import SLUICE

PROJECT = """project: big
timezone: UTC
lake: ./lake
connections: { drop: { type: files, path: ./landing } }
"""
SOURCE = """connection: drop
read: { files: "*.csv" }
contract:
  columns:
    - { name: id, type: string, not_null: true }
    - { name: amount, type: "decimal(12,2)", min: 0 }
    - { name: day, type: date }
    - { name: note, type: string }
"""


def peak_bytes(folder, rows):
    """The peak resident size of a run over a file of so many rows, of which one in a hundred is refused."""
    for name, text in {"sluice.yml": PROJECT, "sources/orders.yml": SOURCE}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "landing").mkdir()
    part = "".join(
        f"ORD{i:07},{'x' if i % 100 == 0 else i % 1000}.50,2024-0{i % 9 + 1}-15,\"a note, quoted, of order {i * 7919 % 10007}\"\n"
        for i in range(100_000))
    with open(folder / "landing/a.csv", "w") as file:
        file.write("id,amount,day,note\n")
        for _ in range(rows // 100_000):
            file.write(part)
    process = subprocess.Popen([SLUICE, "run", "-q", "--memory", "64MiB"], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_memory_does_not_grow_with_the_input(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir(), large.mkdir()
    little, much = peak_bytes(small, 1_200_000), peak_bytes(large, 4_800_000)
    print(f"peak resident: {little >> 20} MiB of {os.path.getsize(small / 'landing/a.csv') >> 20} MiB of input, "
          f"{much >> 20} MiB of {os.path.getsize(large / 'landing/a.csv') >> 20} MiB")
    assert much < little * 1.3
