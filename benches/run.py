#!/usr/bin/env python3
"""make bench: measures the release build from outside and prints the table beside Asterisk's figures.

  make bench ONLY=sig,play   or ONLY=speech, ONLY=nlu, which need no load
  benches/run.py [--only sig,play] [--out results.jsonl] [--steps quick|full] [--duration 20] [--beside ROOT]

The meters live beside the project, in $HOTLINE_SHARED/bench (default ../shared/bench). They are built into target/bench.
Each step gets a freshly started server on core 0 with its journal and its API on; generators run on core 1. With --beside an Asterisk
(see asterisk.py) has its turn after each of our steps, and the ratio is of that very hour.
"""
import argparse, csv, json, os, re, shutil, signal, subprocess, sys, tempfile, time

import asterisk

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCHES = os.path.join(ROOT, "benches")
SHARED = os.path.join(os.environ.get("HOTLINE_SHARED") or os.path.join(ROOT, "..", "shared"), "bench")
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
WORK = os.path.join(TARGET, "bench")
SIP_PORT = 5070
AGENT = "127.0.0.1:5091"

# scenario: steps of the quick plan (ends in some minutes) and of the full one, further arguments of bench.py
PLAN = {
    "sig": ([100, 300], [100, 200, 300, 400], ["--hold", "1000"]),
    "bridge_sig": ([50, 100], [50, 100, 150, 200], ["--hold", "1000"]),
    "play": ([50, 400], [50, 100, 200, 400], []),
    "echo": ([50], [50, 200], []),
    "bridge": ([50, 200], [50, 100, 200, 400], []),
    "rec": ([50, 200], [50, 100, 200], []),
    "bridge_rec": ([50, 200], [50, 100, 200], []),
    "queue": ([50], [50], ["--ramp", "5"]),
    "queue_sig": ([50], [50, 100], ["--hold", "1000"]),
    "ivr": ([10], [5, 10, 20], ["--hold", "1500"]),
}
MEDIA = ("play", "echo", "bridge", "rec", "bridge_rec", "queue")
FLOOR_LEGS = 400


def main():
    if len(sys.argv) > 2 and sys.argv[1] in ("start", "stop"):
        return start(sys.argv[2]) if sys.argv[1] == "start" else stop(sys.argv[2])
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", default="", help="comma list of scenarios: " + ", ".join(PLAN))
    ap.add_argument("--out", default="", help="JSON lines of bench.py go here")
    ap.add_argument("--steps", default="quick", help="quick, full, or the steps themselves: 100,1600")
    ap.add_argument("--duration", default="20", help="seconds a step")
    ap.add_argument("--beside", default="", metavar="ROOT", help="the folder of an Asterisk that is measured in turns with us")
    ap.add_argument("--binary", default=os.path.join(TARGET, "release", "hotline"))
    a = ap.parse_args()
    only = [name for name in a.only.split(",") if name]
    unknown = [name for name in only if name not in PLAN and name not in ("speech", "nlu")]
    if unknown:
        sys.exit(f"make bench: no scenario is called {', '.join(unknown)}; there are {', '.join(PLAN)}, speech, nlu")
    worst = others(a, only)
    load = [name for name in PLAN if not only or name in only]
    sys.exit(max(worst, measure(a, load)) if load else worst)


def chosen(word, quick, full):
    return {"quick": quick, "full": full}.get(word) or [int(step) for step in word.split(",")]


def others(a, only):
    """Benches that need no server: language understanding by its sets, speech by its clips. 0 when all that were asked for met their bars."""
    commands = {
        "nlu": [sys.executable, os.path.join(BENCHES, "nlu.py"), "--binary", a.binary],
        "speech": ["cargo", "bench", "--locked", "--bench", "speech"],
    }
    return max((subprocess.run(commands[name], cwd=ROOT).returncode for name in commands if name in only), default=0)


def measure(a, load):
    if not os.path.isdir(SHARED):
        print(f"SKIPPED: the meters are not here ({SHARED}); set HOTLINE_SHARED to the folder that holds bench/")
        return 0
    for tool in ("sipp", "cc", "taskset"):
        if not shutil.which(tool):
            print(f"SKIPPED: {tool} is missing; run `make setup`")
            return 0
    build_meters()
    state = tempfile.mkdtemp(prefix="hotline-bench-")
    out = os.path.abspath(a.out) if a.out else os.path.join(WORK, "results.jsonl")
    if os.path.exists(out):
        os.remove(out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    results = []
    try:
        for name in load:
            quick, full, args = PLAN[name]
            for step in chosen(a.steps, quick, full):
                results += run_step(a, state, out, "hotline", name, step, args)
                if a.beside and name in asterisk.SCENARIOS:
                    results += run_step(a, state, out, "asterisk", name, step, args)
    finally:
        stop(state)
        shutil.rmtree(state, ignore_errors=True)
    table(results, asterisk.version(a.beside) if a.beside else "")
    if any(r["scenario"] in MEDIA for r in results):
        alone = floor()
        print(f"the kernel alone, today: {alone:.1f} us a packet received and sent, which is {alone / 100:.3f} % of a core a bridged call (100 packets a second)")
    failed = [r for r in results if not r["pass"] and r["label"] == "hotline"]
    print(f"JSON lines: {out}")
    return 1 if failed or not results else 0


def build_meters():
    os.makedirs(WORK, exist_ok=True)
    for name in ("bench.py", "suite.py", "rtpmeter.c", "sipwatch.c"):
        shutil.copyfile(os.path.join(SHARED, name), os.path.join(WORK, name))
    scenarios = os.path.join(WORK, "scenarios")
    shutil.rmtree(scenarios, ignore_errors=True)
    shutil.copytree(os.path.join(SHARED, "scenarios"), scenarios, copy_function=shutil.copyfile)
    os.chmod(scenarios, 0o755)
    subprocess.run(["cc", "-O2", "-o", "rtpmeter", "rtpmeter.c", "-lm"], cwd=WORK, check=True)
    subprocess.run(["cc", "-O2", "-o", "sipwatch", "sipwatch.c"], cwd=WORK, check=True)
    subprocess.run(["cc", "-O2", "-o", "floor", os.path.join(BENCHES, "floor.c")], cwd=WORK, check=True)


def floor(seconds=4):
    """Microseconds of CPU that the kernel alone takes for a packet received and sent, on the server's core, in this hour."""
    relay = subprocess.Popen(["taskset", "-c", "0", os.path.join(WORK, "floor"), "relay", str(FLOOR_LEGS)])
    try:
        time.sleep(0.5)
        before = cpu(relay.pid)
        done = subprocess.run(["taskset", "-c", "1", os.path.join(WORK, "floor"), "send", str(FLOOR_LEGS), str(seconds)], stdout=subprocess.PIPE, text=True)
        return 1000 * (cpu(relay.pid) - before) / max(1, int(done.stdout))
    finally:
        relay.kill()
        relay.wait()


def cpu(pid):
    """Milliseconds of CPU a process has used."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def run_step(a, state, out, label, name, step, args):
    json.dump({"binary": a.binary, "beside": a.beside if label == "asterisk" else ""}, open(os.path.join(state, "state.json"), "w"))
    me = os.path.abspath(__file__)
    target = asterisk.TARGET if label == "asterisk" else f"127.0.0.1:{SIP_PORT}"
    cmd = [sys.executable, os.path.join(WORK, "bench.py"), "--target", target, "--restart", f"{sys.executable} {me} start {state}",
           "--scenario", name, "--steps", str(step), "--duration", a.duration, "--label", label, "--out", out, "--agent", AGENT] + args
    cmd += ["--meter-rt"] if os.geteuid() == 0 else []
    print(f"# {name} {step} {label} …", flush=True)
    done = subprocess.run(cmd, stdout=subprocess.PIPE, text=True)
    stop(state)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        print(f"# {name} {step} {label}: bench.py ended with {done.returncode}", flush=True)
        lines = lines or [dict(label=label, scenario=name, step=step, **{"pass": False})]
    return [line for line in lines if "scenario" in line and "pass" in line]


def on_a_fresh_server(name, binary, out, measure):
    """What `measure`, given the state folder, found on a server of its own: its rows also go to `out`. None where a tool is missing."""
    for tool in ("sipp", "taskset"):
        if not shutil.which(tool):
            return print(f"SKIPPED: {tool} is missing; run `make setup`")
    state = tempfile.mkdtemp(prefix=f"hotline-{name}-")
    json.dump({"binary": os.path.abspath(binary), "beside": ""}, open(os.path.join(state, "state.json"), "w"))
    try:
        start(state)
        rows = measure(state)
    finally:
        stop(state)
        shutil.rmtree(state, ignore_errors=True)
    if out:
        open(out, "w").write("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def start(state):
    """bench.py's --restart: a fresh server with the bench plan; the last word printed is its process id."""
    stop(state)
    wanted = json.load(open(os.path.join(state, "state.json")))
    server = asterisk.start(wanted["beside"], state) if wanted["beside"] else start_ours(wanted["binary"], state)
    open(os.path.join(state, "pid"), "w").write(str(server.pid))
    print(server.pid)


def start_ours(binary, state):
    home = os.path.join(state, "home")
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(os.path.join(BENCHES, "sip-config"), os.path.join(home, "sip-config"))
    shutil.copytree(os.path.join(BENCHES, "dialplans"), os.path.join(home, "dialplans"))
    if os.environ.get("BENCH_PORTS"):
        settings = os.path.join(home, "sip-config", "hotline.toml")
        text = re.sub(r'^ports = "[^"]*"', f'ports = "{os.environ["BENCH_PORTS"]}"', open(settings).read(), flags=re.M)
        open(settings, "w").write(text)
    ready = os.path.join(state, "ready.json")
    if os.path.exists(ready):
        os.remove(ready)
    log = open(os.path.join(state, "server.log"), "ab")
    env = dict(os.environ, BENCH_AGENT=AGENT)
    server = subprocess.Popen(["taskset", "-c", "0", binary, "serve", "--home", home, "--ready-file", ready, "--log", "warn"],
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=env)
    for _ in range(600):
        if os.path.exists(ready):
            break
        if server.poll() is not None:
            sys.exit(f"the server ended with {server.returncode}: {open(os.path.join(state, 'server.log')).read()[-2000:]}")
        time.sleep(0.1)
    return server


def stop(state):
    try:
        pid = int(open(os.path.join(state, "pid")).read())
        os.remove(os.path.join(state, "pid"))
        os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        time.sleep(0.05)


def reference(scenario, step):
    """Asterisk's figures for a step, when it was not measured beside us: ranges as measured (benches/asterisk.tsv)."""
    for row in csv.DictReader(open(os.path.join(BENCHES, "asterisk.tsv")), delimiter="\t"):
        low, _, high = row["step"].partition("-")
        if row["scenario"] == scenario and int(low) <= step <= int(high or low):
            return row
    return {}


def span(low, high):
    return "-" if not low else low if low == high else f"{low}-{high}"


def cost(row):
    """CPU milliseconds a call (signalling) or % of a core a concurrent call (media)."""
    return row["cpu_ms_per_call"] if row["mode"] == "rate" else row["steady"]["cpu_pct"] / max(1, row["calls"])


def lost(row):
    return sum(side["seq_lost"] for side in ((row.get("media") or {}).get("sides") or {}).values())


def theirs(row, beside):
    """Asterisk's CPU, memory and failures beside a row of ours, and its best CPU figure: of the same run, or from the table."""
    if "steady" in beside:
        failed = f"{beside['failed']} failed" if beside["failed"] else f"{lost(beside)} lost" if lost(beside) else ""
        return f"{cost(beside):.3f}", f"{beside['rss_kb_per_call']}", failed, cost(beside)
    ref = reference(row["scenario"], int(row["step"]))
    return span(ref.get("cpu_low"), ref.get("cpu_high")), span(ref.get("kb_low"), ref.get("kb_high")), "", float(ref["cpu_low"]) if ref else 0


def table(results, version):
    """Ours beside Asterisk's: CPU a call, memory a call, what failed or was lost."""
    beside = {(r["scenario"], r["step"]): r for r in results if r["label"] == "asterisk"}
    print(f"\n{'scenario':<11}{'step':>6}{'ok':>7}{'failed':>7}{'lost':>6}{'p99 ms':>8}{'CPU a call':>15}{'Asterisk':>12}{'better':>9}{'KB a call':>10}{'Asterisk':>11}")
    for r in results:
        if r["label"] != "hotline":
            continue
        if "steady" not in r:
            print(f"{r['scenario']:<11}{r['step']:>6}  did not run")
            continue
        p99 = r["invite_200_ms"]["p99"]
        cpu, kilobytes, failed, best = theirs(r, beside.get((r["scenario"], r["step"]), {}))
        better = f"{best / cost(r):.1f}x" if best and cost(r) else "-"
        print(f"{r['scenario']:<11}{r['step']:>6}{r['successful']:>7}{r['failed']:>7}{lost(r):>6}{'-' if p99 is None else p99:>8}"
              f"{cost(r):>8.3f} {'ms' if r['mode'] == 'rate' else '% core':<6}{cpu:>12}{better:>9}{r['rss_kb_per_call']:>10}{kilobytes:>11} {failed}".rstrip())
    print(f"Beside us, in turns: {version}." if version else
          "\"better\" is against Asterisk's best figure; both on one core, each on its own day: trust ratios above 1.5, not decimals.")


if __name__ == "__main__":
    main()
