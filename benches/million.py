#!/usr/bin/env python3
"""Does a server grow with the calls it has served?

  benches/million.py [--binary target/release/hotline] [--calls 1000000] [--rate 400] [--warm 0.2] [--out million.jsonl]

One server on core 0, SIPp on core 1: calls that are answered and ended at once. Every 10 s the server's own memory (RssAnon) is read
beside the calls served so far. What counts is the slope of a line through all points after the first part, in bytes a call: tables that
fill up to their bound, and pages that the allocator keeps, belong to the first part.
"""
import argparse, os, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run as bench

SCENARIO = os.path.join(bench.BENCHES, "scenarios", "crowd.xml")
EVERY = 10


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--binary", default=os.path.join(bench.TARGET, "release", "hotline"))
    ap.add_argument("--calls", type=int, default=1_000_000)
    ap.add_argument("--rate", type=int, default=400)
    ap.add_argument("--warm", type=float, default=0.2, help="the part of the calls that is not looked at")
    ap.add_argument("--out", default="")
    a = ap.parse_args()
    rows = bench.on_a_fresh_server("million", a.binary, a.out, lambda state: serve(state, a))
    if not rows:
        return 0
    failed = rows[-1]["failed"]
    steady = [(row["calls"], row["anon_kb"] * 1024) for row in rows if row["calls"] >= a.warm * a.calls]
    grows = slope(steady)
    print(f"{rows[-1]['calls']} calls, {failed} failed; {grows:.2f} bytes a call after the first {a.warm:.0%} ({len(steady)} points)")
    return 0 if failed == 0 and grows < 1 else 1


def serve(state, a):
    server = int(open(os.path.join(state, "pid")).read())
    folder = tempfile.mkdtemp(prefix="crowd-", dir=state)
    cmd = ["taskset", "-c", "1", "sipp", f"127.0.0.1:{bench.SIP_PORT}", "-sf", SCENARIO, "-s", "answer", "-i", "127.0.0.1", "-mi", "127.0.0.1",
           "-r", str(a.rate), "-m", str(a.calls), "-l", str(4 * a.rate), "-d", "0", "-nostdin", "-trace_stat", "-stf", "stat.csv", "-fd", "1",
           "-buff_size", "4000000"]
    crowd = subprocess.Popen(cmd, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, TERM="dumb"))
    rows, begun = [], time.monotonic()
    while crowd.poll() is None:
        time.sleep(EVERY)
        calls, failed = so_far(folder)
        row = dict(seconds=round(time.monotonic() - begun), calls=calls, failed=failed, anon_kb=anonymous(server), cpu_ms=bench.cpu(server))
        rows.append(row)
        print(f"{row['seconds']:>6} s {row['calls']:>9} calls {row['anon_kb'] / 1024:>8.1f} MB {row['cpu_ms'] / max(1, calls):>7.3f} ms a call", flush=True)
    return rows


def so_far(folder):
    """Calls begun and failed, from the last whole line of SIPp's table."""
    lines = [line.split(";") for line in open(os.path.join(folder, "stat.csv")) if line.endswith("\n")]
    head, last = lines[0], lines[-1]
    return int(last[head.index("TotalCallCreated")]), int(last[head.index("FailedCall(C)")])


def anonymous(pid):
    line = next(line for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon"))
    return int(line.split()[1])


def slope(points):
    """Least squares."""
    if len(points) < 2:
        return 0.0
    n, sx, sy = len(points), sum(x for x, _ in points), sum(y for _, y in points)
    sxx, sxy = sum(x * x for x, _ in points), sum(x * y for x, y in points)
    return (n * sxy - sx * sy) / (n * sxx - sx * sx)


if __name__ == "__main__":
    sys.exit(main())
