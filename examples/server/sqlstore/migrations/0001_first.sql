CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    name     TEXT PRIMARY KEY COLLATE NOCASE,
    password TEXT NOT NULL, -- hash
    doc      TEXT NOT NULL
) STRICT;

CREATE TABLE device_group (
    id   TEXT PRIMARY KEY, -- mesh/DOMAIN/ID
    name TEXT NOT NULL,
    doc  TEXT NOT NULL
) STRICT;
CREATE INDEX device_group_name ON device_group (name);

CREATE TABLE device (
    id       TEXT PRIMARY KEY, -- node/DOMAIN/ID
    group_id TEXT NOT NULL REFERENCES device_group (id),
    name     TEXT NOT NULL,
    doc      TEXT NOT NULL
) STRICT;
CREATE INDEX device_group_id ON device (group_id, name);
CREATE INDEX device_name ON device (name);

-- What a device says of itself at length, such as its hardware.
CREATE TABLE report (
    device_id TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    time      INTEGER NOT NULL, -- Unix milliseconds, as everywhere
    hash      TEXT NOT NULL,
    doc       TEXT NOT NULL,
    PRIMARY KEY (device_id, kind)
) STRICT;

-- Events outlive what they are about.
CREATE TABLE event (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    time   INTEGER NOT NULL,
    device TEXT NOT NULL, -- node/DOMAIN/ID, or empty
    kind   TEXT NOT NULL,
    doc    TEXT NOT NULL
) STRICT;
CREATE INDEX event_time ON event (time);
CREATE INDEX event_device ON event (device, id);
