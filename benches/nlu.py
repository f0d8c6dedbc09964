#!/usr/bin/env python3
"""make bench ONLY=nlu: `hotline nlu eval` over the public sets, in one table with the baselines and the bars.

  benches/nlu.py [--binary target/release/hotline]

The sets lie in $HOTLINE_SHARED/data/nlu (default ../shared/data/nlu). Exit 0 when all bars are met, 1 when one is missed.
"""
import argparse, json, os, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(os.environ.get("HOTLINE_SHARED") or os.path.join(ROOT, "..", "shared"), "data", "nlu")
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")

# What is measured, the arguments with their files, and the bars in percent: of accuracy, of refused sentences that belong nowhere, of top-3
# (the three read out), of wrong ones among the surest 90 % in scope (at most).
SETS = [
    ("BANKING77, all examples", "banking77", ["train.tsv"], "test.tsv", {}, [], {"accuracy": 91}),
    ("BANKING77, 10 an intent", "banking77", ["train_10shot.tsv"], "test.tsv", {}, [], {"accuracy": 75}),
    ("BANKING77, 5 an intent", "banking77", ["train_5shot.tsv"], "test.tsv", {}, [], {}),
    ("BANKING77, misheard at 10 %", "banking77", ["train.tsv"], "test_wer10.tsv", {}, ["--voice"], {}),
    ("BANKING77, misheard at 20 %", "banking77", ["train.tsv"], "test_wer20.tsv", {}, ["--voice"], {"accuracy": 84}),
    ("CLINC150 with rejection", "clinc150", ["train.tsv", "train_oos.tsv"], "test.tsv", {"valid": "valid.tsv"}, [], {"accuracy": 90, "oos_recall": 78, "wrong": 3.5}),
    ("HWU64, all examples", "hwu64", ["train.tsv"], "test.tsv", {}, [], {}),
    ("HWU64, 10 an intent", "hwu64", ["train_10shot.tsv"], "test.tsv", {}, [], {}),
    ("NatCS insurance, spoken turns", "natcs_insurance", ["train.tsv"], "test.tsv", {}, [], {}),
    ("insurer hotline, 5 a node, titles", "itr_insurer", ["train.tsv"], "test.tsv", {"titles": "titles.tsv"}, [], {"unrejected": 75, "top3": 92}),
    ("the same as speech", "itr_insurer", ["train.tsv"], "test.tsv", {"titles": "titles.tsv"}, ["--voice"], {"unrejected": 75}),
]
FIELDS = {"accuracy": "accuracy", "unrejected": "accuracy_unrejected", "oos_recall": "oos_recall", "top3": "top3", "wrong": "misroute_in_scope_90"}
AT_MOST = ("wrong",)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--binary", default=os.path.join(TARGET, "release", "hotline"))
    a = ap.parse_args()
    if not os.path.isdir(SHARED):
        print(f"SKIPPED: the sets are not here ({SHARED}); set HOTLINE_SHARED to the folder that holds data/nlu")
        return 0
    print(f"{'set':<35}{'accuracy':>9}{'unrejected':>11}{'refused':>9}{'top-3':>7}{'wrong@90':>9}{'BM25':>7}{'key words':>10}{'train ms':>10}{'p99 us':>8}  bars")
    missed = 0
    for name, folder, train, test, files, more, bars in SETS:
        path = lambda file: os.path.join(SHARED, folder, file)
        args = [part for file in train for part in ("--train", path(file))] + ["--test", path(test)] + more
        args += [part for option, file in files.items() for part in (f"--{option}", path(file))]
        rows = json.loads(subprocess.run([a.binary, "nlu", "eval", "--json", *args], check=True, stdout=subprocess.PIPE).stdout)
        ours, bm25, words = rows
        percent = {bar: round(100 * ours[field], 1) for bar, field in FIELDS.items() if ours[field] is not None}
        verdicts = [verdict(percent, bar, limit) for bar, limit in bars.items()]
        missed += sum(1 for verdict in verdicts if "MISSED" in verdict)
        print(f"{name:<35}{percent['accuracy']:>9}{percent['unrejected']:>11}{percent.get('oos_recall', '-') if ours['out_of_scope'] else '-':>9}{percent['top3']:>7}"
              f"{percent['wrong']:>9}{100 * bm25['accuracy']:>7.1f}{100 * words['accuracy']:>10.1f}{ours['train_ms']:>10.0f}{ours['p99_us']:>8.0f}  {', '.join(verdicts) or '-'}", flush=True)
    print("wrong@90: wrong among the surest 90 % in scope. Times are CPU time of one thread; the baselines never refuse.")
    return 1 if missed else 0


def verdict(percent, bar, limit):
    met = percent[bar] <= limit if bar in AT_MOST else percent[bar] >= limit
    return f"{bar} {'<=' if bar in AT_MOST else '>='} {limit} {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
