"""Commands timed in turn, in fresh processes, and the table of what came out."""
import os
import statistics
import subprocess
import sys


class Measured:
    """What the runs of one side cost."""

    def __init__(self, costs):
        self.seconds, self.cpu, self.peak = zip(*costs)

    def median(self):
        return statistics.median(self.seconds)

    def median_cpu(self):
        return statistics.median(self.cpu)


def timed(command):
    """Runs a command: ((wall seconds, CPU seconds, peak MiB), what it printed). Raises if it fails."""
    child = [sys.executable, "-S", "-E", os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")]
    process = subprocess.run([*child, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed with {process.returncode}:\n{process.stdout}")
    out, _, cost = process.stdout.rstrip().rpartition("\n")
    return tuple(float(c) for c in cost.split()), out


def interleaved(runs, *sides):
    """Each side is a function that runs once and gives (wall seconds, CPU seconds, peak MiB); they take turns."""
    costs = [[side() for side in sides] for _ in range(runs)]
    return [Measured(side) for side in zip(*costs)]


def line(label, m, megabytes=None):
    rate = f"{megabytes / m.median():6.0f} MB/s" if megabytes else " " * 11
    spread = f"{min(m.seconds):.3f}…{max(m.seconds):.3f}"
    return f"  {label:44} {m.median():8.3f} s  ({spread:15})  {m.median_cpu():7.3f} s CPU  {rate}  {statistics.median(m.peak):6.0f} MiB"


def against(peer, ours, theirs, megabytes=None):
    print(line(peer, theirs, megabytes))
    print(f"  {'Sluice / peer (below 1: Sluice is faster)':44} {ours.median() / theirs.median():8.2f}{'':21}"
          f"{ours.median_cpu() / theirs.median_cpu():7.2f}", flush=True)


def show(name, ours, theirs=None, peer="", megabytes=None, note=""):
    print(f"\n{name}   [medians of {len(ours.seconds)}, load average {os.getloadavg()[0]:.1f}]")
    print(line("Sluice", ours, megabytes))
    if theirs:
        against(peer, ours, theirs, megabytes)
    if note:
        print(f"  {note}")
    print(end="", flush=True)
