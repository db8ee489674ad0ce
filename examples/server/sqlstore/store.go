package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver: SQLite without cgo
)

// ErrNotFound is returned for a record that is not there.
var ErrNotFound = errors.New("sqlstore: not found")

// Store is an open database. Its methods may be called at any time from any goroutine.
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

// View runs f on the state of one moment. What f writes fails.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error { return transact(ctx, s.read, f) }

// Update runs f as one transaction: all that it wrote is kept, or nothing if f returns an error. Updates run one after
// the other.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	return transact(ctx, s.write, f)
}

func transact(ctx context.Context, db *sql.DB, f func(*Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := f(&Tx{ctx: ctx, tx: tx}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}

// Tx is a transaction. It belongs to the function that it was given to, and one goroutine.
type Tx struct {
	ctx context.Context
	tx  *sql.Tx
}

// exec runs a statement.
func (t *Tx) exec(what, query string, args ...any) (changed int64, err error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	return n, nil
}

// scanner is a row to read.
type scanner interface{ Scan(...any) error }

// get reads one row with scan, or returns ErrNotFound.
func get[T any](t *Tx, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(t.tx.QueryRowContext(t.ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return v, fmt.Errorf("%w: %s", ErrNotFound, what)
	}
	if err != nil {
		return v, fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	return v, nil
}

// list reads all rows with scan.
func list[T any](t *Tx, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: %s: %w", what, err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	return all, nil
}

// document encodes the part of a record that has no columns. Records hold nothing that can not be encoded.
func document(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sqlstore: " + err.Error()) // a bug in this package, never input
	}
	return string(b)
}

// millis is how times are stored.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms) }
