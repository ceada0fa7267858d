#!/usr/bin/env python3
"""What a session printed, without what differs from one run to the next.

said.py OTHERS: the steps in this directory; OTHERS are the names of the other
sessions, of which nothing is shown, with | between them.
"""
import glob
import os
import re
import sys


def ordered(found):
    """The offsets of an acknowledgement, which a client has as a set."""
    return str(sorted(map(int, found[0][1:-1].split(",")))).replace(" ", "")


# A tool tells how it is used after it told what is wrong.
USAGE = re.compile(r"^Option .*Description.*", re.M | re.S)
# Consumers complain of a topic that is gone, once or more often.
NOISE = re.compile(r"^(\tat .*|\t\.\.\. .*|.*Tools\$Ended.*|null|"
    r".*Unexpected error caught in consumer network thread .*|"
    r".*: Use errorsByTopicId\(\) .*|)\n", re.M)
PLAIN = [(re.compile(pattern, re.M), text) for pattern, text in (
    (re.escape(os.environ.get("BOOTSTRAP", "\0")), "BROKER"),
    (r"^\[[-0-9 :,]+\] ", ""),
    (r"adminclient-\d+", "adminclient"),
    (r"(Valid states are:).*", r"\1"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    # A member's or topic's id has 22 characters, and so have some names.
    (r"(?<![\w-])(?!--|[A-Za-z]*(Exception|Epoch)\b)[\w-]{22}(?![\w-])",
        "ID"),
    (r"\b\d{13}\b", "TIME"),
    (r"(?<=\"offsets\":)\[[\d,]+\]", ordered),
    (r"[ \t]+", " "),
    (r" $", ""),
    (r"^\n", ""),
    (r"TIME \d+\b", "TIME FOR"),
    # Who hands out ids of producers has handed out others before.
    (r"(transactions-id( 1)?) \d+", r"\1 PID"),
    (r"^(transactions-t 0) \d+", r"\1 PID"),
    (r"^\d+ (\d+ -?\d+ -?\d+ TIME)", r"PID \1"),
)]


def plain(text):
    text = NOISE.sub("", USAGE.sub("", text + "\n"))
    for pattern, with_text in PLAIN:
        text = pattern.sub(with_text, text)
    return text.splitlines()


def own(lines, others):
    """Leave out groups, topics and settings that are not of this session."""
    other = re.compile(r"(^|')(%s)-|^__" % others)
    block = re.compile(r"\w+ configs for group (%s)-" % others)
    hidden = False
    for line in lines:
        if " configs for group " in line:
            hidden = block.match(line)
        if not hidden and not other.search(line):
            yield line


def read(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read()


def main():
    for step in sorted(name[:-5] for name in glob.glob("*.code")):
        print("$", *plain(read(step + ".step")))
        # Many tables of the tools are in no order.
        for line in sorted(own(plain(read(step + ".out")), sys.argv[1])):
            print(line)
        if read(step + ".code").strip() != "0":
            print("exit", read(step + ".code").strip())


main()
