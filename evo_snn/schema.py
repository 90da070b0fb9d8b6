"""The tables of a run's database. Values that differ in kind have tables of their own."""

FORMAT_VERSION = 3  # 1 and 2 were never released

# `candidate.number` is the order in which candidates were asked for, which is not the order in
# which workers finish them. `weights` is the SHA-256 of the file of weights, while there is one.
# `rung.position` counts from 0, the lowest; there are none without a ladder.
# Structured values are JSON text; metrics are eight-byte floats, so they come back bit for bit.
TABLES = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE objective (
    position INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    maximise INTEGER NOT NULL CHECK (maximise IN (0, 1)),
    unit TEXT NOT NULL,
    log INTEGER NOT NULL CHECK (log IN (0, 1))
) STRICT;
CREATE TABLE candidate (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    genome TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ok', 'infeasible', 'failed')),
    architecture TEXT NOT NULL,
    workload TEXT,
    training_steps INTEGER NOT NULL,
    trained INTEGER NOT NULL CHECK (trained IN (0, 1)),
    weights TEXT
) STRICT;
CREATE TABLE parent (
    candidate INTEGER NOT NULL REFERENCES candidate (number),
    position INTEGER NOT NULL,
    key TEXT NOT NULL REFERENCES candidate (key),
    PRIMARY KEY (candidate, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE metric (
    candidate INTEGER NOT NULL REFERENCES candidate (number),
    name TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (candidate, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE violation (
    candidate INTEGER NOT NULL REFERENCES candidate (number),
    name TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (candidate, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE timing (
    candidate INTEGER NOT NULL REFERENCES candidate (number),
    name TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (candidate, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE rung (
    candidate INTEGER NOT NULL REFERENCES candidate (number),
    position INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    metrics TEXT NOT NULL,
    PRIMARY KEY (candidate, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE failure (
    candidate INTEGER PRIMARY KEY REFERENCES candidate (number),
    traceback TEXT NOT NULL,
    circumstances TEXT NOT NULL
) STRICT;
CREATE TABLE generation (
    number INTEGER PRIMARY KEY,
    hypervolume REAL,
    seconds REAL NOT NULL
) STRICT;
CREATE TABLE asked (
    generation INTEGER NOT NULL REFERENCES generation (number),
    position INTEGER NOT NULL,
    key TEXT NOT NULL REFERENCES candidate (key),
    PRIMARY KEY (generation, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
    number INTEGER PRIMARY KEY,
    started TEXT NOT NULL,
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    generations INTEGER NOT NULL,
    workers TEXT NOT NULL,
    environment TEXT NOT NULL,
    ended TEXT,
    outcome TEXT
) STRICT;
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    session INTEGER REFERENCES session (number),
    kind TEXT NOT NULL,
    key TEXT,
    text TEXT NOT NULL
) STRICT;
"""
