"""Print the tables of bench/run: report.py RUNS.jsonl BROKER..."""
import json
import statistics
import sys

LOADS = [  # cell, what it is, the key of its cost, the unit
    ("p1", "produce 1 KiB, 1 connection", "us_per_request", "µs/request"),
    ("p8", "produce 1 KiB, 8 connections", "us_per_request", "µs/request"),
    ("p64", "produce 1 KiB, 64 connections", "us_per_request", "µs/request"),
    ("b16", "produce 100 B in 16 KiB", "us_per_message", "s/M messages"),
    ("lz4", "the same with lz4", "us_per_message", "s/M messages"),
    ("zstd", "the same with zstd", "us_per_message", "s/M messages"),
    ("b64", "produce 1 KiB in 64 KiB", "s_per_gb", "s/GB"),
    ("f64", "fetch, answers of 64 KiB", "s_per_gb", "s/GB"),
    ("f1m", "fetch, answers of 1 MiB", "s_per_gb", "s/GB"),
    ("t1k", "tail, 1,000/s of 1 KiB", "us_per_message", "µs/message"),
    ("sb64", "TLS, produce 1 KiB in 64 KiB", "s_per_gb", "s/GB"),
    ("sf64", "TLS, fetch, answers of 64 KiB", "s_per_gb", "s/GB"),
    ("sf1m", "TLS, fetch, answers of 1 MiB", "s_per_gb", "s/GB"),
    ("snew", "TLS, a new connection", "us_per_request", "µs"),
    ("t10k", "tail, 10,000/s of 1 KiB", "us_per_message", "µs/message"),
]
STANDING = [
    ("idle connection, RSS, KiB", "idle", "rss_kb_each"),
    ("opening one, CPU, µs", "idle", "open_cpu_us_each"),
    ("idle connection with TLS, RSS, KiB", "sidle", "rss_kb_each"),
    ("opening one with TLS, CPU, µs", "sidle", "open_cpu_us_each"),
    ("idle, CPU, % of a core", "idle", "idle_cpu_percent"),
    ("idle, wake-ups/s", "idle", "wakeups_per_s"),
    ("threads", "idle", "threads"),
    ("1,000 partitions created, ms", "parts", "answered_ms"),
    ("… each acknowledged a record, ms", "parts", "acknowledged_ms"),
    ("… CPU, s", "parts", "cpu_s"),
    ("… RSS each, KiB", "parts", "rss_kb_each"),
    ("exec to first acknowledged record, ms", "start", "acknowledged_ms"),
    ("… CPU, s", "start", "cpu_s"),
    ("… RSS, KiB", "start", "rss_kb"),
]


def load(path):
    """{tag: {key: [value, ...]}}, nested keys joined by a dot."""
    runs = {}
    with open(path, encoding="utf-8") as lines:
        for line in filter(None, map(str.strip, lines)):
            run = json.loads(line)
            values = runs.setdefault(run.get("tag"), {})
            for key, value in run.items():
                nested = value if isinstance(value, dict) else {None: value}
                for part, number in nested.items():
                    name = f"{key}.{part}" if part else key
                    values.setdefault(name, []).append(number)
    return runs


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(values):
    if not values:
        return "–"
    text = number(statistics.median(values))
    if len(values) > 1:
        text += f" ({number(min(values))}–{number(max(values))})"
    return text


def ratio(over, under):
    if not over or not under or statistics.median(under) <= 0:
        return "–"
    return f"{statistics.median(over) / statistics.median(under):.2f}"


def table(head, rows):
    rows = [row for row in rows if any(cell != "–" for cell in row[1:])]
    if not rows:
        return
    for row in [head, ["---"] * len(head)] + rows:
        print("| " + " | ".join(row) + " |")
    print()


def main(path, brokers):
    runs = load(path)

    def values(cell, broker, key):
        return runs.get(f"{cell}/{broker}", {}).get(key, [])

    # Against the first, and against the floor.
    pairs = [(brokers[0], b) for b in brokers[1:] if b != "floor"]
    if "floor" in brokers:
        pairs += [(b, "floor") for b in brokers if b != "floor"]
    heads = [f"{a} / {b}" for a, b in pairs]

    def compared(cell, key):
        return ([show(values(cell, b, key)) for b in brokers] +
                [ratio(values(cell, a, key), values(cell, b, key))
                 for a, b in pairs])

    def percentiles(cell, broker, key):
        parts = [values(cell, broker, f"{key}.{p}")
                 for p in ("p50", "p99", "p99.9")]
        if not all(parts):
            return "–"
        return " / ".join(number(statistics.median(p)) for p in parts)

    print("Broker CPU, median (least–most):\n")
    table(["load", "unit"] + brokers + heads,
          [[text, unit] + compared(cell, key)
           for cell, text, key, unit in LOADS
           if any(values(cell, b, key) for b in brokers)])
    print("System calls of the broker per request:\n")
    table(["load"] + brokers,
          [[text] + [show(values(cell, b, "syscalls_per_request"))
                     for b in brokers] for cell, text, _, _ in LOADS])
    print("Latency, µs, p50 / p99 / p99.9 (tails: from producer to consumer), "
          "from the client's view:\n")
    table(["load"] + brokers,
          [[text] + [percentiles(cell, b, "end_to_end_us" if cell[0] == "t"
                                 else "request_us") for b in brokers]
           for cell, text, _, _ in LOADS])
    print("MB/s that went through (the client is part of it):\n")
    table(["load"] + brokers,
          [[text] + [show(values(cell, b, "mb_per_s")) for b in brokers]
           for cell, text, _, _ in LOADS])
    print("RSS after the load, KiB:\n")
    table(["load"] + brokers,
          [[text] + [show(values(cell, b, "rss_kb")) for b in brokers]
           for cell, text, _, _ in LOADS])
    print("Standing costs:\n")
    table(["what"] + brokers + heads,
          [[text] + compared(cell, key) for text, cell, key in STANDING])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
