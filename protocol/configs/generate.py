#!/usr/bin/env python3
"""Turn keys.tsv, what Kafka knows about its configuration keys, into C tables.

usage: generate.py [--check]

Columns of keys.tsv: the table, the key's name, type and default (~ is null),
how values are checked (min, max, values), who may change it, flags, and the
chain of keys that give a value (see src/meta/config_keys.h).
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, 'keys.tsv')
TARGET = os.path.join(HERE, '../../src/meta/generated/config_tables.c')

TABLES = ['broker', 'topic', 'group', 'client-metrics']
UPDATES = {
    'read-only': 'CONFIG_UPDATE_READ_ONLY',
    'per-broker': 'CONFIG_UPDATE_PER_BROKER',
    'cluster-wide': 'CONFIG_UPDATE_CLUSTER',
    'resource': 'CONFIG_UPDATE_RESOURCE',
}


def constant(prefix, word):
    return prefix + word.upper().replace('-', '_')


def text(value):
    if value == '~':
        return 'NULL'
    return '"' + value.replace('\\', '\\\\').replace('"', '\\"') + '"'


def initializer(row):
    fields = [
        ('name', text(row['name'])),
        ('default_value', text(row['default'])),
        ('type', constant('CONFIG_TYPE_', row['type'])),
        ('check', constant('CONFIG_CHECK_', row['check'])),
        ('update', UPDATES[row['update']]),
    ]
    if row['values']:
        fields.append(('values', text(row['values'])))
    if row['chain']:
        fields.append(('chain', text(row['chain'])))
    for bound in ('min', 'max'):
        if row[bound]:
            fields += [(bound, row[bound] + ('' if '.' in row[bound] or
                        'e' in row[bound] else '.0')),
                       ('has_' + bound, 'true')]
    if row['flags']:
        fields.append(('flags', ' | '.join(
            constant('CONFIG_', flag) for flag in row['flags'].split())))
    return '\t{ ' + ',\n\t    '.join(f'.{n} = {v}' for n, v in fields) + ' },'


def read():
    with open(SOURCE, encoding='utf-8') as source:
        header, *lines = [l.rstrip('\n').split('\t') for l in source]
    return [dict(zip(header, line)) for line in lines]


def generate():
    rows = read()
    out = ['/* Made by protocol/configs/generate.py; do not edit. */',
           '#include "meta/config_tables.h"', '']
    for table in TABLES:
        mine = sorted((r for r in rows if r['table'] == table),
                      key=lambda r: r['name'])
        name = 'config_tables_' + table.replace('-', '_')
        out.append(f'const struct config_key {name}[] = {{')
        out += [initializer(row) for row in mine]
        out += ['};', f'const size_t {name}_count = {len(mine)};', '']
    return '\n'.join(out)


def main():
    code = generate()
    if sys.argv[1:] == ['--check']:
        with open(TARGET, encoding='utf-8') as target:
            if target.read() != code:
                sys.exit('src/meta/generated/config_tables.c is stale: run '
                         'protocol/configs/generate.py')
        return
    with open(TARGET, 'w', encoding='utf-8') as target:
        target.write(code)


if __name__ == '__main__':
    main()
