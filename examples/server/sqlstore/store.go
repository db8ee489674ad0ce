package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	_ "modernc.org/sqlite" // the driver: SQLite without cgo
)

// Store is an open database, and a [controlserver.Store]. Its methods may be called at any time from any goroutine.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer, and waiting for it here costs no polling
	read  *sql.DB
}

const (
	readers     = 4
	busyTimeout = 10 * time.Second // of another process that has the file open
)

// Open opens the database in a file, makes it if it is not there, and brings its tables up to date.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	// SQLite gives its other files the mode of this one. It holds password hashes.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}

	// WAL lets readers go on beside the writer. With it, synchronous=NORMAL can lose the last transactions when the
	// machine loses power, but never the file; a killed process loses nothing.
	common := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "foreign_keys(1)"}}
	writer := url.Values{"_txlock": {"immediate"}, "_pragma": append(common["_pragma"], "journal_mode(WAL)", "synchronous(NORMAL)")}
	reader := url.Values{"_pragma": append(common["_pragma"], "query_only(1)")}

	s := &Store{}
	if s.write, err = open(path, writer, 1); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.write); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlstore: %s: %w", path, err), s.write.Close())
	}
	if s.read, err = open(path, reader, readers); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	return s, nil
}

func open(path string, options url.Values, conns int) (*sql.DB, error) {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/...
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Close waits for transactions under way and closes the database. All that was written is in its one file then.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close()) // the last connection to go merges the log into the file
}

// View implements [controlserver.Store]. f sees the state of one moment; what it writes fails.
func (s *Store) View(ctx context.Context, f func(controlserver.StoreTx) error) error {
	return transact(ctx, s.read, f)
}

// Update implements [controlserver.Store]. It runs f once.
func (s *Store) Update(ctx context.Context, f func(controlserver.StoreTx) error) error {
	return transact(ctx, s.write, f)
}

func transact(ctx context.Context, db *sql.DB, f func(controlserver.StoreTx) error) error {
	sqlTx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	defer sqlTx.Rollback() // after Commit it does nothing
	if err := f(&tx{ctx: ctx, tx: sqlTx}); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}
