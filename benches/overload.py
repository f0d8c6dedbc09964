#!/usr/bin/env python3
"""What becomes of calls when more come than can be served.

  benches/overload.py [--binary target/release/hotline] [--seconds 10] [--step 1.5] [--hold 1000] [--out overload.jsonl]
  BENCH_PORTS=20000-59999 benches/overload.py --hold 0       # more ports than a core serves calls

One server on core 0, SIPp on core 1. First the rate is raised until calls fail or are refused: the highest goodput is the peak, and the
rate at which it was reached the capacity. Then 1, 2 and 4 times the capacity, each followed by 5 s of rest and a probe at half the
capacity. A line each: goodput against the peak, how long the refused waited for their 503, what failed otherwise, and the probe.
"""
import argparse, csv, glob, os, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run as bench

SCENARIO = os.path.join(bench.BENCHES, "scenarios", "crowd.xml")
REST = 5
FIRST_RATE = 50
# A rate counts as served when so much of it became whole calls.
SERVED = 0.97


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--binary", default=os.path.join(bench.TARGET, "release", "hotline"))
    ap.add_argument("--seconds", type=int, default=10)
    ap.add_argument("--first", type=int, default=FIRST_RATE)
    ap.add_argument("--step", type=float, default=1.5)
    ap.add_argument("--hold", type=int, default=1000, help="how long a call lasts, in milliseconds")
    ap.add_argument("--out", default="")
    a = ap.parse_args()
    rows = bench.on_a_fresh_server("overload", a.binary, a.out, lambda _: measure(a)) or []
    return 0 if all(row.get("good", True) for row in rows) else 1


def measure(a):
    rows, peak, capacity, rate = [], 0.0, a.first, a.first
    head = f"{'step':>10}{'rate':>7}{'offered':>9}{'served':>8}{'refused':>9}{'failed':>8}{'goodput/s':>11}{'503 p50':>9}{'p99 ms':>8}{'setup p99':>11}"
    print(head, flush=True)
    while True:
        row = crowd("search", rate, a.seconds // 2 or 1, a.hold)
        rows.append(row)
        if row["goodput"] > peak:
            peak, capacity = row["goodput"], rate
        if row["served"] < SERVED * row["offered"]:
            break
        rate = int(rate * a.step)
    time.sleep(REST)
    for times, least in ((1, 0.9), (2, 0.9), (4, 0.8)):
        row = crowd(f"{times}x", capacity * times, a.seconds, a.hold)
        row["share"] = round(row["goodput"] / peak, 3)
        time.sleep(REST)
        probe = crowd("5 s later", max(1, capacity // 2), 3, a.hold)
        quick = row["refused"] == 0 or row["refused_p99"] < 100
        row["good"] = row["share"] >= least and quick and row["failed"] == 0 and probe["served"] == probe["offered"]
        print(f"{times}x: {100 * row['share']:.0f} % of the peak {peak:.0f}/s ({'met' if row['good'] else 'NOT met'})", flush=True)
        rows += [row, probe]
    return rows


def crowd(name, rate, seconds, hold):
    """SIPp offers so many calls a second for so long; what became of them."""
    folder = tempfile.mkdtemp(prefix="crowd-")
    calls = rate * seconds
    cmd = ["taskset", "-c", "1", "sipp", f"127.0.0.1:{bench.SIP_PORT}", "-sf", SCENARIO, "-s", "answer", "-i", "127.0.0.1", "-mi", "127.0.0.1",
           "-r", str(rate), "-m", str(calls), "-l", str(calls + 1), "-d", str(hold), "-nostdin", "-timeout", f"{seconds + 45}s",
           "-trace_rtt", "-rtt_freq", "1", "-trace_stat", "-stf", "stat.csv", "-fd", "1", "-buff_size", "4000000"]
    begun = time.monotonic()
    subprocess.run(cmd, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, TERM="dumb"))
    took = time.monotonic() - begun
    times = {"1": [], "2": [], "3": []}
    for file in glob.glob(os.path.join(folder, "*_rtt.csv")):
        for line in csv.reader(open(file), delimiter=";"):
            if len(line) >= 3 and line[2] in times:
                times[line[2]].append((float(line[0]), float(line[1])))
    stat = list(csv.DictReader(open(os.path.join(folder, "stat.csv")), delimiter=";"))[-1]
    shutil.rmtree(folder, ignore_errors=True)
    served, refused, offered = len(times["2"]), len(times["3"]), int(stat["TotalCallCreated"])
    # Whole calls over the time in which calls began: the last ones' hold and their BYE come after it.
    row = dict(step=name, rate=rate, offered=offered, served=served, refused=refused, failed=int(stat["FailedCall(C)"]),
               goodput=round(served / max(seconds, offered / rate), 1), took=round(took, 1),
               refused_p50=at(times["3"], 0.5), refused_p99=at(times["3"], 0.99), setup_p50=at(times["1"], 0.5), setup_p99=at(times["1"], 0.99),
               bye_p99=at(times["2"], 0.99), repeated=int(stat["Retransmissions(C)"]))
    print(f"{name:>10}{rate:>7}{offered:>9}{served:>8}{refused:>9}{row['failed']:>8}{row['goodput']:>11}{row['refused_p50']:>9}"
          f"{row['refused_p99']:>8}{row['setup_p99']:>11}", flush=True)
    return row


def at(samples, share):
    values = sorted(value for _, value in samples)
    return round(values[min(len(values) - 1, int(share * len(values)))], 1) if values else 0


if __name__ == "__main__":
    sys.exit(main())
