-- Records of package controlserver, a table for each kind. What is in the tables of 0001 is taken over by fromFirst, which
-- drops them in the end.
DROP INDEX event_time;
DROP INDEX event_device;
ALTER TABLE setting      RENAME TO first_setting;
ALTER TABLE user         RENAME TO first_user;
ALTER TABLE device_group RENAME TO first_group;
ALTER TABLE device       RENAME TO first_device;
ALTER TABLE report       RENAME TO first_report;
ALTER TABLE event        RENAME TO first_event;

-- owner is the id of the record that one belongs to, or empty. rev counts the changes of a record.
CREATE TABLE user         (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE user_group   (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE mesh         (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE node         (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE login_token  (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE share        (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE notes        (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE system_info  (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE network_info (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE last_connect (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE power        (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE web_state    (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE setting      (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;

-- Kinds without a table of their own: id is the kind, a line end, and the id.
CREATE TABLE other        (id TEXT PRIMARY KEY, owner TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;

-- Owners have many records of these kinds.
CREATE INDEX node_owner        ON node (owner, id);
CREATE INDEX login_token_owner ON login_token (owner, id);
CREATE INDEX share_owner       ON share (owner, id);

-- Events outlive what they are about. id is the order in which they came; times are Unix milliseconds, as everywhere.
CREATE TABLE event (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    time    INTEGER NOT NULL,
    domain  TEXT NOT NULL,
    action  TEXT NOT NULL,
    user    TEXT NOT NULL, -- id of who caused it, or empty
    device  TEXT NOT NULL, -- id, or empty
    targets TEXT NOT NULL, -- who may see it: a JSON array
    doc     TEXT NOT NULL
) STRICT;
CREATE INDEX event_time   ON event (time);
CREATE INDEX event_user   ON event (user, id) WHERE user <> '';
CREATE INDEX event_device ON event (device, id) WHERE device <> '';

-- The same targets, to be searched.
CREATE TABLE event_target (
    target TEXT NOT NULL,
    event  INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,
    PRIMARY KEY (target, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_target_event ON event_target (event);
