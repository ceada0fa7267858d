"""Print the table of bench/coord: coord_report.py RUNS.jsonl BROKER..."""
import statistics
import sys

from report import load, number, table

# What it is, its cell, its key, how many of that are one of the unit, the
# unit, and the limit: a number, or a part of what Kafka takes; None: none.
ROWS = [
    ("transaction of 10 records, p50", "txn", "transaction_us.p50",
     1, "µs", "kafka", 1),
    ("… EndTxn alone, p50", "txn", "end_us.p50", 1, "µs", None, 0),
    ("… p99", "txn", "transaction_us.p99", 1, "µs", None, 0),
    ("… CPU", "txn", "us_each", 1, "µs", None, 0),
    ("… 10 ms apart, p50", "txn-apart", "transaction_us.p50",
     1, "µs", "kafka", 1),
    ("… 10 ms apart, p99", "txn-apart", "transaction_us.p99",
     1, "µs", None, 0),
    ("OffsetCommit of 10 partitions, CPU", "commit-10", "us_per_request",
     1, "µs/request", "kafka", 5),
    ("OffsetCommit of a partition, CPU", "commit-1", "us_per_request",
     1, "µs/request", "kafka", 5),
    ("100 classic members join, p50", "rebalance-classic", "form_us.p50",
     1000, "ms", "", 100),
    ("… rejoin, p50", "rebalance-classic", "rebalance_us.p50",
     1000, "ms", "", 100),
    ("100 consumer members join, p50", "rebalance-consumer", "form_us.p50",
     1000, "ms", "", 100),
    ("… lose one, p50", "rebalance-consumer", "rebalance_us.p50",
     1000, "ms", "", 100),
    ("20,000 classic members at 3 s, CPU", "beat-classic",
     "percent_of_a_core", 1, "% of a core", "", 10),
    ("… a heartbeat", "beat-classic", "us_per_request", 1, "µs", None, 0),
    ("… answered within, p99", "beat-classic", "heartbeat_us.p99",
     1000, "ms", None, 0),
    ("… until all had joined", "beat-classic", "formed_s", 1, "s", None, 0),
    ("20,000 consumer members at 5 s, CPU", "beat-consumer",
     "percent_of_a_core", 1, "% of a core", "", 10),
    ("… a heartbeat", "beat-consumer", "us_per_request", 1, "µs", None, 0),
    ("… answered within, p99", "beat-consumer", "heartbeat_us.p99",
     1000, "ms", None, 0),
    ("… until all had joined", "beat-consumer", "formed_s", 1, "s", None, 0),
    ("100,000 offsets, stop to all told", "restart", "ms", 1, "ms", "", 500),
]


def main(path, brokers):
    runs = load(path)

    def figure(broker, cell, key, per):
        values = runs.get(f"{cell}/{broker}", {}).get(key)
        return statistics.median(values) / per if values else None

    def limit_of(kind, bound, kafka):
        if kind == "kafka":
            return kafka / bound if kafka is not None else None
        return bound if kind == "" else None

    def verdict(limit, value):
        if limit is None or value is None:
            return "–"
        return "pass" if value <= limit else f"short: {value / limit:.2f}"

    rows = []
    judged = [b for b in brokers if b != "kafka"]
    for what, cell, key, per, unit, kind, bound in ROWS:
        values = {b: figure(b, cell, key, per) for b in brokers}
        if not any(value is not None for value in values.values()):
            continue
        limit = limit_of(kind, bound, values.get("kafka"))
        rows.append(
            [what, unit] +
            [number(values[b]) if values[b] is not None else "–"
             for b in brokers] +
            [number(limit) if limit is not None else "–"] +
            [verdict(limit, values[b]) for b in judged])
    table(["what", "unit"] + brokers + ["limit"] +
          [f"{b} is" for b in judged], rows)


main(sys.argv[1], sys.argv[2:])
