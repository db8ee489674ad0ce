package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// migrations are the steps from an empty database to the present one: NUMBER_what.sql, numbered from 1 without gaps.
// One that was released is never changed; a change is a new one.
//
//go:embed migrations/*.sql
var migrations embed.FS

// conversions are what a step does after its script, where SQL is not enough.
var conversions = map[int]func(context.Context, *sql.Tx) error{2: fromFirst}

// migrate brings a database up to date. Its number is SQLite's user_version.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(files) {
		return fmt.Errorf("has version %d, this program knows %d: it was used by a newer one", version, len(files))
	}
	for i, file := range files[version:] {
		if err := step(ctx, db, file, version+i+1); err != nil {
			return fmt.Errorf("%s: %w", path.Base(file), err)
		}
	}
	return nil
}

// step runs one migration and sets the version, as one transaction.
func step(ctx context.Context, db *sql.DB, file string, version int) error {
	number, _, _ := strings.Cut(path.Base(file), "_")
	if n, err := strconv.Atoi(number); err != nil || n != version {
		return fmt.Errorf("is not numbered %d", version)
	}
	script, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return err
	}
	if convert := conversions[version]; convert != nil {
		if err := convert(ctx, tx); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
