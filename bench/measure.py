"""Commands timed in turn, in fresh processes, and the table of what came out."""
import os
import statistics
import subprocess
import time


class Measured:
    """What the runs of one side cost."""

    def __init__(self, costs):
        self.seconds, self.cpu, self.peak = zip(*costs)

    def median(self):
        return statistics.median(self.seconds)

    def median_cpu(self):
        return statistics.median(self.cpu)


def timed(command, **options):
    """Runs a command: ((wall seconds, CPU seconds, peak MiB), what it printed). Raises if it fails."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed with {process.returncode}:\n{out}")
    return (seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), out


def interleaved(runs, *sides):
    """Each side is a function that runs once and gives (wall seconds, CPU seconds, peak MiB); they take turns."""
    costs = [[side() for side in sides] for _ in range(runs)]
    return [Measured(side) for side in zip(*costs)]


def show(name, ours, theirs=None, peer="", megabytes=None, note=""):
    def side(label, m):
        rate = f"{megabytes / m.median():6.0f} MB/s" if megabytes else " " * 11
        spread = f"{min(m.seconds):.3f}…{max(m.seconds):.3f}"
        return f"  {label:44} {m.median():8.3f} s  ({spread:15})  {m.median_cpu():7.3f} s CPU  {rate}  {statistics.median(m.peak):6.0f} MiB"

    print(f"{name}   [medians of {len(ours.seconds)}, load average {os.getloadavg()[0]:.1f}]")
    print(side("Sluice", ours))
    if theirs:
        print(side(peer, theirs))
        print(f"  {'Sluice / peer (below 1: Sluice is faster)':44} {ours.median() / theirs.median():8.2f}{'':21}"
              f"{ours.median_cpu() / theirs.median_cpu():7.2f}")
    if note:
        print(f"  {note}")
    print(flush=True)
