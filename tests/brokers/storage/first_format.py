"""A data folder as the first format has it: what the program wrote before there were segments."""

import sqlite3
from zlib import crc32

FILE = "mockforge.db"
_SCHEMA = """
create table item(id integer primary key, crc integer not null, value blob not null);
create table entity(
  kind text not null, name blob not null, crc integer not null, value blob not null,
  primary key(kind, name)
) without rowid;
create table state(clean integer not null);
insert into state values(1);
"""


def write(folder, rows, entities, *, clean=True, version=1):
    """`rows` by their numbers, `entities` by (kind, name)."""
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute(f"pragma application_id={0x4D464447}")
    connection.execute(f"pragma user_version={version}")
    connection.executescript(_SCHEMA)
    connection.executemany(
        "insert into item values(?, ?, ?)",
        [(number, crc32(value, number & 0xFFFF_FFFF), value) for number, value in rows.items()],
    )
    connection.executemany(
        "insert into entity values(?, ?, ?, ?)",
        [(kind, name, crc32(name + value), value) for (kind, name), value in entities.items()],
    )
    connection.execute("update state set clean=?", (clean,))
    connection.close()
